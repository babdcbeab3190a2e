-- DropIndex
DROP INDEX "session_tenant_id_idx";

-- AlterTable
ALTER TABLE "dial_in_number" ADD COLUMN     "country" TEXT,
ADD COLUMN     "dedicated_to" TEXT,
ADD COLUMN     "toll_free" BOOLEAN NOT NULL DEFAULT false;

-- AlterTable
ALTER TABLE "leg" ADD COLUMN     "muted" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "role" TEXT NOT NULL DEFAULT 'participant';

-- AlterTable
ALTER TABLE "participant" ADD COLUMN     "removed_at" TIMESTAMPTZ(3),
ADD COLUMN     "role" TEXT NOT NULL DEFAULT 'participant';

-- AlterTable
ALTER TABLE "pin" ADD COLUMN     "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
ADD COLUMN     "participant_id" TEXT,
ADD COLUMN     "role" TEXT NOT NULL DEFAULT 'participant';

-- AlterTable
ALTER TABLE "room" ADD COLUMN     "deleted_at" TIMESTAMPTZ(3),
ADD COLUMN     "ends_at" TIMESTAMPTZ(3),
ADD COLUMN     "expires_at" TIMESTAMPTZ(3),
ADD COLUMN     "external_id" TEXT,
ADD COLUMN     "host_left_s" INTEGER,
ADD COLUMN     "idle_days" INTEGER,
ADD COLUMN     "look_at" TIMESTAMPTZ(3),
ADD COLUMN     "metadata" JSONB NOT NULL DEFAULT '{}',
ADD COLUMN     "pinless" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "starts_at" TIMESTAMPTZ(3),
ADD COLUMN     "version" INTEGER NOT NULL DEFAULT 1,
ADD COLUMN     "wait_for_host" BOOLEAN NOT NULL DEFAULT false;

-- AlterTable
ALTER TABLE "session" ADD COLUMN     "had_host" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "host_left_at" TIMESTAMPTZ(3);

-- CreateIndex
CREATE INDEX "dial_in_number_dedicated_to_idx" ON "dial_in_number"("dedicated_to");

-- CreateIndex
CREATE INDEX "session_tenant_id_created_at_id_idx" ON "session"("tenant_id", "created_at", "id");

-- AddForeignKey
ALTER TABLE "dial_in_number" ADD CONSTRAINT "dial_in_number_dedicated_to_fkey" FOREIGN KEY ("dedicated_to") REFERENCES "tenant"("id") ON DELETE RESTRICT ON UPDATE CASCADE;


-- What Prisma's schema cannot say ------------------------------------------------------------------------------------------------

-- A tenant's own name for a room means one room that is not over; and a number that asks for no PIN leads to one room.
CREATE UNIQUE INDEX "room_external_id" ON "room" ("tenant_id", "external_id") WHERE "state" = 'active' AND "external_id" IS NOT NULL;
CREATE UNIQUE INDEX "room_pinless" ON "room" ("number") WHERE "state" = 'active' AND "pinless";
-- What the sweep of rooms reads.
CREATE INDEX "room_look" ON "room" ("look_at") WHERE "state" = 'active' AND "look_at" IS NOT NULL;

-- A tenant sees the shared numbers and its own; only the operator changes any.
ALTER TABLE dial_in_number ENABLE ROW LEVEL SECURITY;
ALTER TABLE dial_in_number FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON dial_in_number FOR SELECT TO partyline_tenant USING (dedicated_to IS NULL OR dedicated_to = (SELECT tenant_in_context()));
CREATE POLICY every_row ON dial_in_number TO partyline_platform USING (true) WITH CHECK (true);
