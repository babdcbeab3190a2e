-- The logins of tenants' SIP phones.
CREATE TABLE "sip_account" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "label" TEXT NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "sip_account_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "sip_account_tenant_id_idx" ON "sip_account"("tenant_id");
ALTER TABLE "sip_account" ADD CONSTRAINT "sip_account_tenant_id_fkey"
  FOREIGN KEY ("tenant_id")
  REFERENCES "tenant"("id") ON DELETE CASCADE ON UPDATE CASCADE;
SELECT isolate_tenants('sip_account');
