-- AlterTable
ALTER TABLE "tenant" ADD COLUMN     "max_dial_outs_per_minute" INTEGER,
ADD COLUMN     "max_live_legs" INTEGER,
ADD COLUMN     "max_live_rooms" INTEGER,
ADD COLUMN     "max_requests_per_minute" INTEGER;

-- CreateTable
CREATE TABLE "platform_limit" (
    "only" BOOLEAN NOT NULL DEFAULT true,
    "max_live_rooms" INTEGER NOT NULL DEFAULT 1000,
    "max_live_legs" INTEGER NOT NULL DEFAULT 500,
    "max_dial_outs_per_minute" INTEGER NOT NULL DEFAULT 60,
    "max_requests_per_minute" INTEGER NOT NULL DEFAULT 600,

    CONSTRAINT "platform_limit_pkey" PRIMARY KEY ("only")
);

-- CreateTable
CREATE TABLE "idempotency_key" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "fingerprint" BYTEA NOT NULL,
    "seed" BYTEA NOT NULL,
    "lease_until" TIMESTAMPTZ(3),
    "reply" BYTEA,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "idempotency_key_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "idempotency_step" (
    "key_id" TEXT NOT NULL,
    "step" TEXT NOT NULL,
    "tenant_id" TEXT,
    "result" BYTEA NOT NULL,

    CONSTRAINT "idempotency_step_pkey" PRIMARY KEY ("key_id","step")
);

-- CreateIndex
CREATE UNIQUE INDEX "idempotency_key_tenant_id_key_key" ON "idempotency_key"("tenant_id", "key");

-- CreateIndex
CREATE INDEX "idempotency_key_created_at_idx" ON "idempotency_key"("created_at");

-- AddForeignKey
ALTER TABLE "idempotency_step" ADD CONSTRAINT "idempotency_step_key_id_fkey" FOREIGN KEY ("key_id") REFERENCES "idempotency_key"("id") ON DELETE CASCADE ON UPDATE CASCADE;


-- What Prisma's schema cannot say ------------------------------------------------------------------------------------------------

ALTER TABLE platform_limit ADD CONSTRAINT platform_limit_one_row CHECK ("only");
INSERT INTO platform_limit DEFAULT VALUES;
SELECT share_with_platform('platform_limit');
GRANT SELECT ON platform_limit TO partyline_tenant;

SELECT isolate_tenants(t) FROM unnest(ARRAY['idempotency_key', 'idempotency_step']::regclass[]) AS t;

-- What limits count, of one tenant: rooms that may be joined, people's connections that are up, and calls placed of late.
CREATE INDEX "room_active" ON "room" ("tenant_id") WHERE "state" = 'active';
CREATE INDEX "leg_up" ON "leg" ("tenant_id") WHERE "state" <> 'ended' AND "kind" <> 'bridge';
CREATE INDEX "leg_placed" ON "leg" ("tenant_id", "created_at") WHERE "kind" = 'outbound';

-- How much of a limit a tenant may use, and uses now: live-rooms, live-legs or dial-outs (in the last minute). It is the tenant's own, or the platform's default.
CREATE FUNCTION read_limit(p_tenant text, p_limit text) RETURNS TABLE (allowed int, used int) LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
BEGIN
  CASE p_limit
    WHEN 'live-rooms' THEN
      SELECT COALESCE(t.max_live_rooms, p.max_live_rooms) INTO allowed FROM platform_limit p LEFT JOIN tenant t ON t.id = p_tenant;
      SELECT count(*) INTO used FROM room r WHERE r.tenant_id = p_tenant AND r.state = 'active';
    WHEN 'live-legs' THEN
      SELECT COALESCE(t.max_live_legs, p.max_live_legs) INTO allowed FROM platform_limit p LEFT JOIN tenant t ON t.id = p_tenant;
      SELECT count(*) INTO used FROM leg l WHERE l.tenant_id = p_tenant AND l.state <> 'ended' AND l.kind <> 'bridge';
    WHEN 'dial-outs' THEN
      SELECT COALESCE(t.max_dial_outs_per_minute, p.max_dial_outs_per_minute) INTO allowed FROM platform_limit p LEFT JOIN tenant t ON t.id = p_tenant;
      SELECT count(*) INTO used FROM leg l WHERE l.tenant_id = p_tenant AND l.kind = 'outbound' AND l.created_at > clock_timestamp() - interval '1 minute';
  END CASE;
  RETURN NEXT;
END $$;

-- The same, and it stays true until this transaction ends: two that each see one place left cannot both take it. Whoever is near the limit finds out alone, when all others are
-- done. Far from it those who each add one do not wait for each other: as many as there are connections may do so at once and stay below it, and whoever comes near meanwhile
-- waits for them all (seen: a tenant's rooms, made one after the other at the pace of a disk). p_alone: for whoever may add more than one. A statement sees what was committed
-- before it began, and the lock is waited for first; hence a function that is not STABLE, whose statements look each for themselves.
CREATE FUNCTION hold_limit(p_tenant text, p_limit text, p_alone boolean DEFAULT false) RETURNS TABLE (allowed int, used int) LANGUAGE plpgsql AS $$
DECLARE
  v_key bigint := hashtextextended(p_limit || ' ' || p_tenant, 0);
  v_connections int := current_setting('max_connections')::int;
BEGIN
  SELECT r.allowed, r.used INTO allowed, used FROM read_limit(p_tenant, p_limit) AS r;
  IF NOT p_alone AND used + 2 * v_connections <= allowed THEN
    PERFORM pg_advisory_xact_lock_shared(v_key);
    SELECT r.allowed, r.used INTO allowed, used FROM read_limit(p_tenant, p_limit) AS r;
    -- Near by now, and who has a lock with others cannot have it alone: two would wait for each other. The transaction is run again.
    IF used + v_connections > allowed THEN RAISE EXCEPTION 'the limit came near while it was waited for' USING ERRCODE = 'serialization_failure'; END IF;
  ELSE
    PERFORM pg_advisory_xact_lock(v_key);
    SELECT r.allowed, r.used INTO allowed, used FROM read_limit(p_tenant, p_limit) AS r;
  END IF;
  RETURN NEXT;
END $$;
