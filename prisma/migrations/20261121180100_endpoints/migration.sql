-- Events go to endpoints, which a tenant makes itself: a row of what is to be delivered for each event and endpoint, committed with the event.

-- DropIndex
DROP INDEX "outbox_due";
DROP INDEX "outbox_leased";
DROP INDEX "outbox_unsent";

-- AlterTable
ALTER TABLE "outbox" DROP COLUMN "attempts",
DROP COLUMN "delivered_at",
DROP COLUMN "lease_until",
DROP COLUMN "next_try_at",
ADD COLUMN     "endpoint_id" TEXT,
ALTER COLUMN "room_id" DROP NOT NULL,
ALTER COLUMN "session_id" DROP NOT NULL;

-- AlterTable
ALTER TABLE "tenant" DROP COLUMN "events_url";

-- CreateTable
CREATE TABLE "endpoint" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "types" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "disabled_at" TIMESTAMPTZ(3),
    "disabled_reason" TEXT,
    "secret" BYTEA NOT NULL,
    "old_secret" BYTEA,
    "old_secret_until" TIMESTAMPTZ(3),
    "failures" INTEGER NOT NULL DEFAULT 0,
    "failing_since" TIMESTAMPTZ(3),
    "probe_at" TIMESTAMPTZ(3),
    "last_seq" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "endpoint_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "delivery" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "endpoint_id" TEXT NOT NULL,
    "event_id" BIGINT NOT NULL,
    "stream" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'pending',
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "tries" INTEGER NOT NULL DEFAULT 0,
    "next_try_at" TIMESTAMPTZ(3),
    "lease_until" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "done_at" TIMESTAMPTZ(3),

    CONSTRAINT "delivery_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "delivery_attempt" (
    "delivery_id" TEXT NOT NULL,
    "no" INTEGER NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "status" INTEGER,
    "duration_ms" INTEGER,
    "error" TEXT,

    CONSTRAINT "delivery_attempt_pkey" PRIMARY KEY ("delivery_id","no")
);

-- CreateIndex
CREATE INDEX "endpoint_tenant_id_idx" ON "endpoint"("tenant_id");

-- CreateIndex
CREATE UNIQUE INDEX "delivery_endpoint_id_event_id_key" ON "delivery"("endpoint_id", "event_id");

-- CreateIndex
CREATE UNIQUE INDEX "outbox_endpoint_id_seq_key" ON "outbox"("endpoint_id", "seq");

-- AddForeignKey
ALTER TABLE "endpoint" ADD CONSTRAINT "endpoint_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenant"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "delivery_attempt" ADD CONSTRAINT "delivery_attempt_delivery_id_fkey" FOREIGN KEY ("delivery_id") REFERENCES "delivery"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- By hand from here on.

-- A delivery has no foreign key to its endpoint: an event is committed with the change of a call, which must not wait for, or fail with, a
-- tenant who deletes an endpoint at that moment.

-- Partial indexes: what the senders read. Those that are done are in none of them.
CREATE INDEX "delivery_due" ON "delivery" ("endpoint_id", "next_try_at", "event_id") WHERE "next_try_at" IS NOT NULL;
CREATE INDEX "delivery_unsent" ON "delivery" ("endpoint_id", "stream", "seq") WHERE "next_try_at" IS NOT NULL;
CREATE INDEX "delivery_leased" ON "delivery" ("endpoint_id", "lease_until") WHERE "lease_until" IS NOT NULL;
CREATE INDEX "endpoint_deleted" ON "endpoint" ("deleted_at") WHERE "deleted_at" IS NOT NULL;

SELECT isolate_tenants(t) FROM unnest(ARRAY['endpoint', 'delivery', 'delivery_attempt']::regclass[]) AS t;
