-- AlterTable
ALTER TABLE "tenant" ADD COLUMN     "home_country" TEXT NOT NULL DEFAULT 'US',
ADD COLUMN     "suspended_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "api_key" ADD COLUMN     "last_used_at" TIMESTAMPTZ(3);

-- CreateTable
CREATE TABLE "audit_entry" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT,
    "actor_kind" TEXT NOT NULL,
    "actor_id" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "targets" JSONB NOT NULL DEFAULT '{}',
    "changes" JSONB,
    "request_id" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "begun_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ended_at" TIMESTAMPTZ(3),
    "status" INTEGER,
    "reason" TEXT,

    CONSTRAINT "audit_entry_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "audit_entry_tenant_id_begun_at_id_idx" ON "audit_entry"("tenant_id", "begun_at", "id");

-- CreateIndex
CREATE INDEX "audit_entry_begun_at_id_idx" ON "audit_entry"("begun_at", "id");

-- What the reconciler reads every second: whose sessions should have ended. Few tenants are ever suspended.
CREATE INDEX "tenant_suspended" ON "tenant" ("suspended_at") WHERE "suspended_at" IS NOT NULL;

-- Who wrote an entry can close it, and can neither take it back nor say that it was somebody else.
SELECT isolate_tenants('audit_entry', 'SELECT, INSERT');
GRANT UPDATE ("ended_at", "status", "reason", "targets", "changes") ON "audit_entry" TO partyline_tenant;
