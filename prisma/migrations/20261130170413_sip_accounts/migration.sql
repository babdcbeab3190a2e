-- A SIP account has no application and no API key, but a trunk.
ALTER TABLE "provider_account"
  ADD COLUMN "trunk_addresses" TEXT[] DEFAULT ARRAY[]::TEXT[],
  ADD COLUMN "trunk_host" TEXT,
  ADD COLUMN "trunk_transport" TEXT,
  ALTER COLUMN "application_id" DROP NOT NULL,
  ALTER COLUMN "voice_key_end" DROP NOT NULL;
