-- The platform has a second provider account, `platform-sip` (libs/domain/src/platform-account.ts). It has no row in
-- provider_account, because it is no tenant's: the foreign keys check the accounts of tenants.
ALTER TABLE "dial_in_number"
  DROP CONSTRAINT "dial_in_number_account_id_dedicated_to_fkey",
  DROP CONSTRAINT "dial_in_number_account",
  ADD COLUMN "tenant_account_id" TEXT GENERATED ALWAYS AS (NULLIF("account_id", 'platform-sip')) STORED;
ALTER TABLE "session"
  DROP CONSTRAINT "session_account_id_tenant_id_fkey",
  ADD COLUMN "tenant_account_id" TEXT GENERATED ALWAYS AS (NULLIF("account_id", 'platform-sip')) STORED;
ALTER TABLE "leg"
  DROP CONSTRAINT "leg_account_id_tenant_id_fkey",
  DROP CONSTRAINT "leg_account_tenant",
  ADD COLUMN "tenant_account_id" TEXT GENERATED ALWAYS AS (NULLIF("account_id", 'platform-sip')) STORED;
ALTER TABLE "orphan_call"
  DROP CONSTRAINT "orphan_call_account_id_fkey",
  ADD COLUMN "tenant_account_id" TEXT GENERATED ALWAYS AS (NULLIF("account_id", 'platform-sip')) STORED;

ALTER TABLE "dial_in_number"
  ADD CONSTRAINT "dial_in_number_tenant_account_id_dedicated_to_fkey"
    FOREIGN KEY ("tenant_account_id", "dedicated_to")
    REFERENCES "provider_account"("id", "tenant_id") ON DELETE NO ACTION ON UPDATE NO ACTION,
  ADD CONSTRAINT dial_in_number_account CHECK (tenant_account_id IS NULL OR dedicated_to IS NOT NULL);
ALTER TABLE "session"
  ADD CONSTRAINT "session_tenant_account_id_tenant_id_fkey"
    FOREIGN KEY ("tenant_account_id", "tenant_id")
    REFERENCES "provider_account"("id", "tenant_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "leg"
  ADD CONSTRAINT "leg_tenant_account_id_tenant_id_fkey"
    FOREIGN KEY ("tenant_account_id", "tenant_id")
    REFERENCES "provider_account"("id", "tenant_id") ON DELETE NO ACTION ON UPDATE NO ACTION,
  ADD CONSTRAINT leg_account_tenant CHECK (tenant_account_id IS NULL OR tenant_id IS NOT NULL);
ALTER TABLE "orphan_call"
  ADD CONSTRAINT "orphan_call_tenant_account_id_fkey"
    FOREIGN KEY ("tenant_account_id")
    REFERENCES "provider_account"("id") ON DELETE CASCADE ON UPDATE NO ACTION;
