-- Tenants' own accounts at the provider. Their credentials are sealed with the tenant's data key, and that is wrapped with a master key which is not in the database.

-- CreateTable
CREATE TABLE "provider_account" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "label" TEXT NOT NULL,
    "voice_kind" TEXT NOT NULL,
    "media_kind" TEXT NOT NULL,
    "application_id" TEXT NOT NULL,
    "voice_key_end" TEXT NOT NULL,
    "media_key_end" TEXT,
    "version" INTEGER NOT NULL DEFAULT 1,
    "sealed" BYTEA,
    "old_sealed" BYTEA,
    "old_version" INTEGER,
    "old_until" TIMESTAMPTZ(3),
    "verified_at" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "provider_account_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tenant_data_key" (
    "tenant_id" TEXT NOT NULL,
    "wrapped" BYTEA NOT NULL,
    "master_key_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "tenant_data_key_pkey" PRIMARY KEY ("tenant_id")
);

-- CreateIndex
CREATE INDEX "provider_account_tenant_id_idx" ON "provider_account"("tenant_id");

-- CreateIndex: what names an account names its tenant with it, so that it cannot be another's.
CREATE UNIQUE INDEX "provider_account_id_tenant_id_key" ON "provider_account"("id", "tenant_id");

-- AddForeignKey
ALTER TABLE "provider_account" ADD CONSTRAINT "provider_account_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenant"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tenant_data_key" ADD CONSTRAINT "tenant_data_key_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenant"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- An application is one account's: two would hang up each other's calls as nobody's. Whoever learns by it that there is the other has shown its private key.
CREATE UNIQUE INDEX provider_account_application ON provider_account (application_id) WHERE deleted_at IS NULL;
-- Secrets that are over, to be dropped.
CREATE INDEX provider_account_old ON provider_account (old_until) WHERE old_sealed IS NOT NULL;
-- The credentials go with the account.
ALTER TABLE provider_account ADD CONSTRAINT provider_account_sealed CHECK ((sealed IS NULL) = (deleted_at IS NOT NULL) AND (old_sealed IS NULL OR deleted_at IS NULL));

SELECT isolate_tenants(t) FROM unnest(ARRAY['provider_account', 'tenant_data_key']::regclass[]) AS t;
