ALTER TABLE "provider_account"
  ADD COLUMN "voice_region" TEXT,
  ADD COLUMN "sip_domain" TEXT;
