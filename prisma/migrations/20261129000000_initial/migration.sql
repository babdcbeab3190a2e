-- The first schema: tables, indexes, policies, roles and triggers.

-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateTable
CREATE TABLE "tenant" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "home_country" TEXT NOT NULL DEFAULT 'US',
    "suspended_at" TIMESTAMPTZ(3),
    "max_live_rooms" INTEGER,
    "max_live_legs" INTEGER,
    "max_dial_outs_per_minute" INTEGER,
    "max_requests_per_minute" INTEGER,
    "allowed_countries" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "currency" TEXT NOT NULL DEFAULT 'EUR',
    "max_minutes_per_month" INTEGER,
    "max_spend_micro_per_month" BIGINT,
    "fraud_limits" JSONB NOT NULL DEFAULT '{}',

    CONSTRAINT "tenant_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_key" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "label" TEXT NOT NULL,
    "secret_hash" BYTEA NOT NULL,
    "scopes" TEXT[] DEFAULT ARRAY['admin']::TEXT[],
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_key_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "dial_in_number" (
    "e164" TEXT NOT NULL,
    "language" TEXT NOT NULL DEFAULT 'en-US',
    "country" TEXT,
    "toll_free" BOOLEAN NOT NULL DEFAULT false,
    "dedicated_to" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "guarded" BOOLEAN NOT NULL DEFAULT true,
    "max_unadmitted" INTEGER NOT NULL DEFAULT 10,
    "slow_until" TIMESTAMPTZ(3),
    "account_id" TEXT,

    CONSTRAINT "dial_in_number_pkey" PRIMARY KEY ("e164")
);

-- CreateTable
CREATE TABLE "room" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'active',
    "number" TEXT NOT NULL,
    "bridge" TEXT NOT NULL DEFAULT 'auto',
    "max_participants" INTEGER NOT NULL,
    "max_duration_s" INTEGER NOT NULL,
    "never_used_s" INTEGER,
    "browsers_left_s" INTEGER,
    "phones_left_s" INTEGER,
    "alone_s" INTEGER,
    "empty_s" INTEGER,
    "host_left_s" INTEGER,
    "wait_for_host" BOOLEAN NOT NULL DEFAULT false,
    "pinless" BOOLEAN NOT NULL DEFAULT false,
    "starts_at" TIMESTAMPTZ(3),
    "ends_at" TIMESTAMPTZ(3),
    "expires_at" TIMESTAMPTZ(3),
    "idle_days" INTEGER,
    "expiry_check_at" TIMESTAMPTZ(3),
    "external_id" TEXT,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ended_at" TIMESTAMPTZ(3),
    "end_reason" TEXT,
    "deleted_at" TIMESTAMPTZ(3),
    "max_spend_micro" BIGINT,

    CONSTRAINT "room_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "pin" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "room_id" TEXT NOT NULL,
    "number" TEXT NOT NULL,
    "lookup" BYTEA NOT NULL,
    "ciphertext" BYTEA NOT NULL,
    "role" TEXT NOT NULL DEFAULT 'participant',
    "participant_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "quarantined_until" TIMESTAMPTZ(3),
    "digits" INTEGER,

    CONSTRAINT "pin_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "session" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "room_id" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 0,
    "conversation" TEXT NOT NULL,
    "media_session_id" TEXT,
    "had_browser" BOOLEAN NOT NULL DEFAULT false,
    "had_phone" BOOLEAN NOT NULL DEFAULT false,
    "browsers_left_at" TIMESTAMPTZ(3),
    "phones_left_at" TIMESTAMPTZ(3),
    "alone_since" TIMESTAMPTZ(3),
    "empty_since" TIMESTAMPTZ(3),
    "had_host" BOOLEAN NOT NULL DEFAULT false,
    "host_left_at" TIMESTAMPTZ(3),
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "due_reason" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "live_at" TIMESTAMPTZ(3),
    "ending_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),
    "end_reason" TEXT,
    "last_seq" INTEGER NOT NULL DEFAULT 0,
    "settle_due_at" TIMESTAMPTZ(3),
    "bridge_failures" INTEGER NOT NULL DEFAULT 0,
    "bridge_due_at" TIMESTAMPTZ(3),
    "account_id" TEXT,

    CONSTRAINT "session_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "participant" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "room_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "role" TEXT NOT NULL DEFAULT 'participant',
    "removed_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "participant_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "leg" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT,
    "session_id" TEXT,
    "participant_id" TEXT,
    "kind" TEXT NOT NULL,
    "role" TEXT NOT NULL DEFAULT 'participant',
    "muted" BOOLEAN NOT NULL DEFAULT false,
    "state" TEXT NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 0,
    "number" TEXT,
    "remote" TEXT,
    "token_hash" BYTEA,
    "media_connection_id" TEXT,
    "media_created_at" TIMESTAMPTZ(3),
    "media_missing_since" TIMESTAMPTZ(3),
    "media_closed_at" TIMESTAMPTZ(3),
    "sip_ended_at" TIMESTAMPTZ(3),
    "voice_call_id" TEXT,
    "voice_closed_at" TIMESTAMPTZ(3),
    "tries" INTEGER NOT NULL DEFAULT 0,
    "last_outcome" TEXT,
    "slow" BOOLEAN NOT NULL DEFAULT false,
    "known" BOOLEAN NOT NULL DEFAULT false,
    "last_wrong_pin_at" TIMESTAMPTZ(3),
    "pin_guess_odds" DOUBLE PRECISION NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "dialled_at" TIMESTAMPTZ(3),
    "answered_at" TIMESTAMPTZ(3),
    "joined_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),
    "deadline_at" TIMESTAMPTZ(3) NOT NULL,
    "hangup_requested_at" TIMESTAMPTZ(3),
    "hangup_reason" TEXT,
    "hangup_attempted_at" TIMESTAMPTZ(3),
    "hangup_attempts" INTEGER NOT NULL DEFAULT 0,
    "lease_until" TIMESTAMPTZ(3),
    "confirmed_at" TIMESTAMPTZ(3),
    "outcome" TEXT,
    "reason" TEXT,
    "account_id" TEXT,

    CONSTRAINT "leg_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "hang_up_attempt" (
    "leg_id" TEXT NOT NULL,
    "no" INTEGER NOT NULL,
    "tenant_id" TEXT,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "outcome" TEXT,
    "reason" TEXT,

    CONSTRAINT "hang_up_attempt_pkey" PRIMARY KEY ("leg_id","no")
);

-- CreateTable
CREATE TABLE "observation" (
    "id" BIGSERIAL NOT NULL,
    "tenant_id" TEXT,
    "leg_id" TEXT NOT NULL,
    "handle" TEXT NOT NULL,
    "phase" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "outcome" TEXT,
    "reason" TEXT,
    "provider_at" TIMESTAMPTZ(3),
    "stored_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "observation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "outbox" (
    "id" BIGSERIAL NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "room_id" TEXT,
    "session_id" TEXT,
    "endpoint_id" TEXT,
    "seq" INTEGER NOT NULL,
    "type" TEXT NOT NULL,
    "data" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "outbox_pkey" PRIMARY KEY ("id")
);

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

-- CreateTable
CREATE TABLE "webhook_jti" (
    "jti" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "webhook_jti_pkey" PRIMARY KEY ("jti")
);

-- CreateTable
CREATE TABLE "provider_rate_limit" (
    "account" TEXT NOT NULL,
    "lane" TEXT NOT NULL,
    "share" TEXT NOT NULL DEFAULT '',
    "next_slot_at" TIMESTAMPTZ(3) NOT NULL,
    "next_retry_at" TIMESTAMPTZ(3),

    CONSTRAINT "provider_rate_limit_pkey" PRIMARY KEY ("account","lane","share")
);

-- CreateTable
CREATE TABLE "orphan_call" (
    "id" TEXT NOT NULL,
    "first_seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "sweeps" INTEGER NOT NULL DEFAULT 1,
    "hangup_attempted_at" TIMESTAMPTZ(3),
    "false_kill_at" TIMESTAMPTZ(3),
    "account_id" TEXT,

    CONSTRAINT "orphan_call_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "lease" (
    "name" TEXT NOT NULL,
    "available_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "lease_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "audit_entry" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT,
    "about" TEXT[] DEFAULT ARRAY[]::TEXT[],
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

-- CreateTable
CREATE TABLE "cdr" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT,
    "room_id" TEXT,
    "session_id" TEXT,
    "leg_id" TEXT NOT NULL,
    "handle" TEXT NOT NULL,
    "direction" TEXT NOT NULL,
    "number" TEXT,
    "started_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3) NOT NULL,
    "seconds" INTEGER NOT NULL,
    "rate_micro" BIGINT,
    "price_micro" BIGINT,
    "currency" TEXT NOT NULL,
    "estimate_micro" BIGINT NOT NULL,
    "tenant_currency" TEXT,
    "tenant_estimate_micro" BIGINT,
    "source" TEXT NOT NULL,
    "stored_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "price_lookup_at" TIMESTAMPTZ(3),
    "price_lookups" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "cdr_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "month_sum" (
    "tenant_id" TEXT NOT NULL,
    "month" TIMESTAMPTZ(3) NOT NULL,
    "part" INTEGER NOT NULL,
    "currency" TEXT NOT NULL,
    "tenant_currency" TEXT NOT NULL,
    "seconds" BIGINT NOT NULL,
    "micro" BIGINT NOT NULL,
    "tenant_micro" BIGINT NOT NULL,

    CONSTRAINT "month_sum_pkey" PRIMARY KEY ("tenant_id","month","part","currency","tenant_currency")
);

-- CreateTable
CREATE TABLE "room_sum" (
    "tenant_id" TEXT NOT NULL,
    "room_id" TEXT NOT NULL,
    "currency" TEXT NOT NULL,
    "tenant_currency" TEXT NOT NULL,
    "seconds" BIGINT NOT NULL,
    "micro" BIGINT NOT NULL,
    "tenant_micro" BIGINT NOT NULL,

    CONSTRAINT "room_sum_pkey" PRIMARY KEY ("tenant_id","room_id","currency","tenant_currency")
);

-- CreateTable
CREATE TABLE "platform_rate" (
    "what" TEXT NOT NULL,
    "prefix" TEXT NOT NULL,
    "currency" TEXT NOT NULL,
    "micro_per_minute" BIGINT NOT NULL,

    CONSTRAINT "platform_rate_pkey" PRIMARY KEY ("what","prefix","currency")
);

-- CreateTable
CREATE TABLE "warning" (
    "tenant_id" TEXT NOT NULL,
    "what" TEXT NOT NULL,
    "period" TEXT NOT NULL,
    "session_id" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "warning_pkey" PRIMARY KEY ("tenant_id","what","period")
);

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
    "ciphertext" BYTEA,
    "old_ciphertext" BYTEA,
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
CREATE INDEX "api_key_tenant_id_idx" ON "api_key"("tenant_id");

-- CreateIndex
CREATE INDEX "dial_in_number_dedicated_to_idx" ON "dial_in_number"("dedicated_to");

-- CreateIndex
CREATE INDEX "dial_in_number_account_id_idx" ON "dial_in_number"("account_id");

-- CreateIndex
CREATE INDEX "room_tenant_id_created_at_id_idx" ON "room"("tenant_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "pin_room_id_idx" ON "pin"("room_id");

-- CreateIndex
CREATE INDEX "pin_quarantined_until_idx" ON "pin"("quarantined_until");

-- CreateIndex
CREATE UNIQUE INDEX "pin_number_lookup_key" ON "pin"("number", "lookup");

-- CreateIndex
CREATE UNIQUE INDEX "session_conversation_key" ON "session"("conversation");

-- CreateIndex
CREATE UNIQUE INDEX "session_media_session_id_key" ON "session"("media_session_id");

-- CreateIndex
CREATE INDEX "session_tenant_id_created_at_id_idx" ON "session"("tenant_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "session_room_id_created_at_idx" ON "session"("room_id", "created_at");

-- CreateIndex
CREATE INDEX "participant_tenant_id_room_id_idx" ON "participant"("tenant_id", "room_id");

-- CreateIndex
CREATE UNIQUE INDEX "leg_voice_call_id_key" ON "leg"("voice_call_id");

-- CreateIndex
CREATE INDEX "leg_session_id_idx" ON "leg"("session_id");

-- CreateIndex
CREATE INDEX "leg_participant_id_idx" ON "leg"("participant_id");

-- CreateIndex
CREATE INDEX "leg_media_connection_id_idx" ON "leg"("media_connection_id");

-- CreateIndex
CREATE INDEX "observation_leg_id_idx" ON "observation"("leg_id");

-- CreateIndex
CREATE INDEX "outbox_tenant_id_id_idx" ON "outbox"("tenant_id", "id");

-- CreateIndex
CREATE INDEX "outbox_created_at_idx" ON "outbox"("created_at");

-- CreateIndex
CREATE UNIQUE INDEX "outbox_session_id_seq_key" ON "outbox"("session_id", "seq");

-- CreateIndex
CREATE UNIQUE INDEX "outbox_endpoint_id_seq_key" ON "outbox"("endpoint_id", "seq");

-- CreateIndex
CREATE INDEX "endpoint_tenant_id_idx" ON "endpoint"("tenant_id");

-- CreateIndex
CREATE UNIQUE INDEX "delivery_endpoint_id_event_id_key" ON "delivery"("endpoint_id", "event_id");

-- CreateIndex
CREATE INDEX "webhook_jti_expires_at_idx" ON "webhook_jti"("expires_at");

-- CreateIndex
CREATE INDEX "audit_entry_tenant_id_begun_at_id_idx" ON "audit_entry"("tenant_id", "begun_at", "id");

-- CreateIndex
CREATE INDEX "audit_entry_begun_at_id_idx" ON "audit_entry"("begun_at", "id");

-- CreateIndex
CREATE INDEX "audit_entry_about_idx" ON "audit_entry" USING GIN ("about");

-- CreateIndex
CREATE INDEX "idempotency_key_created_at_idx" ON "idempotency_key"("created_at");

-- CreateIndex
CREATE UNIQUE INDEX "idempotency_key_tenant_id_key_key" ON "idempotency_key"("tenant_id", "key");

-- CreateIndex
CREATE INDEX "cdr_tenant_id_ended_at_id_idx" ON "cdr"("tenant_id", "ended_at", "id");

-- CreateIndex
CREATE INDEX "cdr_room_id_idx" ON "cdr"("room_id");

-- CreateIndex
CREATE UNIQUE INDEX "cdr_leg_id_handle_key" ON "cdr"("leg_id", "handle");

-- CreateIndex
CREATE INDEX "provider_account_tenant_id_idx" ON "provider_account"("tenant_id");

-- CreateIndex
CREATE UNIQUE INDEX "provider_account_id_tenant_id_key" ON "provider_account"("id", "tenant_id");

-- AddForeignKey
ALTER TABLE "api_key" ADD CONSTRAINT "api_key_tenant_id_fkey"
  FOREIGN KEY ("tenant_id")
  REFERENCES "tenant"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "dial_in_number" ADD CONSTRAINT "dial_in_number_dedicated_to_fkey"
  FOREIGN KEY ("dedicated_to")
  REFERENCES "tenant"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "dial_in_number" ADD CONSTRAINT "dial_in_number_account_id_dedicated_to_fkey"
  FOREIGN KEY ("account_id", "dedicated_to")
  REFERENCES "provider_account"("id", "tenant_id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "room" ADD CONSTRAINT "room_tenant_id_fkey"
  FOREIGN KEY ("tenant_id")
  REFERENCES "tenant"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "pin" ADD CONSTRAINT "pin_room_id_fkey"
  FOREIGN KEY ("room_id")
  REFERENCES "room"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "session" ADD CONSTRAINT "session_room_id_fkey"
  FOREIGN KEY ("room_id")
  REFERENCES "room"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "session" ADD CONSTRAINT "session_account_id_tenant_id_fkey"
  FOREIGN KEY ("account_id", "tenant_id")
  REFERENCES "provider_account"("id", "tenant_id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "leg" ADD CONSTRAINT "leg_session_id_fkey"
  FOREIGN KEY ("session_id")
  REFERENCES "session"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "leg" ADD CONSTRAINT "leg_account_id_tenant_id_fkey"
  FOREIGN KEY ("account_id", "tenant_id")
  REFERENCES "provider_account"("id", "tenant_id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "endpoint" ADD CONSTRAINT "endpoint_tenant_id_fkey"
  FOREIGN KEY ("tenant_id")
  REFERENCES "tenant"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "delivery_attempt" ADD CONSTRAINT "delivery_attempt_delivery_id_fkey"
  FOREIGN KEY ("delivery_id")
  REFERENCES "delivery"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "orphan_call" ADD CONSTRAINT "orphan_call_account_id_fkey"
  FOREIGN KEY ("account_id")
  REFERENCES "provider_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "idempotency_step" ADD CONSTRAINT "idempotency_step_key_id_fkey"
  FOREIGN KEY ("key_id")
  REFERENCES "idempotency_key"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "provider_account" ADD CONSTRAINT "provider_account_tenant_id_fkey"
  FOREIGN KEY ("tenant_id")
  REFERENCES "tenant"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tenant_data_key" ADD CONSTRAINT "tenant_data_key_tenant_id_fkey"
  FOREIGN KEY ("tenant_id")
  REFERENCES "tenant"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Everything below is what Prisma's schema language cannot express.
-- Functions are in prisma/functions; npm run migrate applies them after the migrations.
-- Only the functions that migrations themselves need are defined here.

-- Roles -------------------------------------------------------------------------------------------
-- Services connect as a user that owns nothing and is a member of two roles:
--   partyline_tenant    sees the rows of the tenant in the setting partyline.tenant, none without it;
--   partyline_platform  sees the rows of every tenant: sweeps, and look-ups by API key or call.
-- Neither role owns a table or has BYPASSRLS. Row-level security is forced on the owner too: a
-- migration that changes rows must SET LOCAL ROLE partyline_platform first.

-- Roles belong to the server: another database of it may have them, or create them now.
DO $$
DECLARE
  v_role text;
BEGIN
  FOREACH v_role IN ARRAY ARRAY['partyline_tenant', 'partyline_platform'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = v_role) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', v_role);
      EXCEPTION
        WHEN duplicate_object OR unique_violation THEN NULL;
      END;
    END IF;
    -- The migrating user acts as both roles: in later migrations, and in tools that prepare a database.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
      EXECUTE format('GRANT %I TO %I', v_role, current_user);
    END IF;
  END LOOP;
END $$;

-- Row-level security ------------------------------------------------------------------------------

-- The tenant of this transaction; null without one.
CREATE FUNCTION tenant_in_context() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT nullif(current_setting('partyline.tenant', true), '')
$$;

-- Grants partyline_platform read and write access to a table and its sequences.
CREATE FUNCTION share_with_platform(p_table regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_sequence regclass;
BEGIN
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO partyline_platform', p_table);
  FOR v_sequence IN
    SELECT d.objid::regclass
    FROM pg_depend d
    JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
    WHERE d.refobjid = p_table
  LOOP
    EXECUTE format('GRANT USAGE ON SEQUENCE %s TO partyline_tenant, partyline_platform', v_sequence);
  END LOOP;
END $$;

-- Puts a table with a tenant_id behind row-level security.
-- p_visible: which rows the tenant in context may see, where tenant_id alone does not decide it.
-- Every migration that creates a table with a tenant_id must call this; a test reads the catalogue.
CREATE FUNCTION isolate_tenants(
  p_table regclass,
  p_grants text DEFAULT 'SELECT, INSERT, UPDATE, DELETE',
  p_visible text DEFAULT 'tenant_id = (SELECT tenant_in_context())'
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', p_table);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', p_table);
  EXECUTE format(
    'CREATE POLICY tenant_rows ON %s TO partyline_tenant USING (%s) '
      'WITH CHECK (tenant_id = (SELECT tenant_in_context()))',
    p_table, p_visible
  );
  EXECUTE format('CREATE POLICY every_row ON %s TO partyline_platform USING (true) WITH CHECK (true)', p_table);
  EXECUTE format('GRANT %s ON %s TO partyline_tenant', p_grants, p_table);
  PERFORM share_with_platform(p_table);
END $$;

SELECT isolate_tenants(t)
FROM unnest(ARRAY[
  'api_key', 'cdr', 'delivery', 'delivery_attempt', 'endpoint', 'idempotency_key', 'idempotency_step', 'leg',
  'month_sum', 'outbox', 'participant', 'pin', 'provider_account', 'room', 'room_sum', 'session',
  'tenant_data_key', 'warning'
]::regclass[]) AS t;

-- Rows about a caller before admission have no tenant; they belong to the tenant of their leg.
SELECT isolate_tenants(
  t,
  'SELECT, INSERT, UPDATE, DELETE',
  'tenant_id = (SELECT tenant_in_context()) OR (tenant_id IS NULL AND leg_id IN (SELECT l.id FROM leg l))'
)
FROM unnest(ARRAY['hang_up_attempt', 'observation']::regclass[]) AS t;

-- A tenant reads the entries of operators about it. It cannot close them, or write an entry that
-- another tenant is shown.
SELECT isolate_tenants('audit_entry', 'SELECT, INSERT');
DROP POLICY tenant_rows ON audit_entry;
CREATE POLICY tenant_rows ON audit_entry TO partyline_tenant
  USING (tenant_id = (SELECT tenant_in_context()) OR about @> ARRAY[(SELECT tenant_in_context())])
  WITH CHECK (tenant_id = (SELECT tenant_in_context()) AND about = '{}');
-- A tenant closes its own entries, which changes only these columns.
GRANT UPDATE (ended_at, status, reason, targets, changes) ON audit_entry TO partyline_tenant;

-- A tenant reads its own row and changes nothing in it.
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON tenant FOR SELECT TO partyline_tenant USING (id = (SELECT tenant_in_context()));
CREATE POLICY every_row ON tenant TO partyline_platform USING (true) WITH CHECK (true);
GRANT SELECT ON tenant TO partyline_tenant;

-- A tenant reads the shared numbers and its own dedicated ones.
ALTER TABLE dial_in_number ENABLE ROW LEVEL SECURITY;
ALTER TABLE dial_in_number FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON dial_in_number FOR SELECT TO partyline_tenant
  USING (dedicated_to IS NULL OR dedicated_to = (SELECT tenant_in_context()));
CREATE POLICY every_row ON dial_in_number TO partyline_platform USING (true) WITH CHECK (true);
GRANT SELECT ON dial_in_number TO partyline_tenant;

-- Tables of the platform.
GRANT SELECT ON platform_limit, platform_rate TO partyline_tenant;
GRANT SELECT, INSERT ON webhook_jti TO partyline_tenant;
SELECT share_with_platform(t)
FROM unnest(ARRAY[
  'dial_in_number', 'lease', 'orphan_call', 'platform_limit', 'platform_rate', 'provider_rate_limit', 'tenant',
  'webhook_jti'
]::regclass[]) AS t;

-- Checks ------------------------------------------------------------------------------------------

-- A number at a tenant's provider account is dedicated to that tenant.
ALTER TABLE dial_in_number ADD CONSTRAINT dial_in_number_account CHECK (account_id IS NULL OR dedicated_to IS NOT NULL);
ALTER TABLE platform_limit ADD CONSTRAINT platform_limit_one_row CHECK ("only");
ALTER TABLE platform_rate ADD CONSTRAINT platform_rate_prefix CHECK (prefix ~ '^(\+[1-9][0-9]{0,14})?$');
-- A deleted account has no credentials.
ALTER TABLE provider_account ADD CONSTRAINT provider_account_credentials
  CHECK ((ciphertext IS NULL) = (deleted_at IS NOT NULL) AND (old_ciphertext IS NULL OR deleted_at IS NULL));

-- Unique indexes ----------------------------------------------------------------------------------

-- One current session per room, one live bridge leg per session.
CREATE UNIQUE INDEX session_one_current ON session (room_id) WHERE state IN ('open', 'live');
CREATE UNIQUE INDEX leg_one_bridge ON leg (session_id) WHERE kind = 'bridge' AND state <> 'ended';
-- One active room per external id of a tenant, one active room without a PIN per number.
CREATE UNIQUE INDEX room_external_id ON room (tenant_id, external_id)
  WHERE state = 'active' AND external_id IS NOT NULL;
CREATE UNIQUE INDEX room_pinless ON room (number) WHERE state = 'active' AND pinless;
-- Two accounts with one application would hang up each other's calls as orphan calls. The error
-- reveals only to the holder of its private key that the application is in use.
CREATE UNIQUE INDEX provider_account_application ON provider_account (application_id) WHERE deleted_at IS NULL;

-- Indexes of the reconciler, the sweeps and the purge ---------------------------------------------

CREATE INDEX cdr_price_due ON cdr (price_lookup_at) WHERE price_lookup_at IS NOT NULL;
CREATE INDEX delivery_done ON delivery (done_at) WHERE done_at IS NOT NULL;
CREATE INDEX delivery_due ON delivery (endpoint_id, next_try_at, event_id) WHERE next_try_at IS NOT NULL;
CREATE INDEX delivery_leased ON delivery (endpoint_id, lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX delivery_unsent ON delivery (endpoint_id, stream, seq) WHERE next_try_at IS NOT NULL;
CREATE INDEX endpoint_deleted ON endpoint (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX leg_called ON leg (account_id, created_at) WHERE state <> 'ended' AND voice_call_id IS NOT NULL;
CREATE INDEX leg_dialling ON leg (dialled_at) WHERE state = 'dialling';
CREATE INDEX leg_ending ON leg (hangup_requested_at) WHERE state = 'ending';
CREATE INDEX leg_requested ON leg (created_at) WHERE state = 'requested';
CREATE INDEX leg_unadmitted_due ON leg (deadline_at) WHERE session_id IS NULL AND state <> 'ended';
CREATE INDEX leg_unnamed ON leg (remote) WHERE kind = 'outbound' AND voice_call_id IS NULL;
CREATE INDEX provider_account_old ON provider_account (old_until) WHERE old_ciphertext IS NOT NULL;
CREATE INDEX room_ended ON room (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX room_expiry_check ON room (expiry_check_at) WHERE state = 'active' AND expiry_check_at IS NOT NULL;
CREATE INDEX session_bridge_due ON session (bridge_due_at) WHERE bridge_due_at IS NOT NULL;
CREATE INDEX session_due ON session (due_at) WHERE state IN ('open', 'live');
CREATE INDEX session_ending ON session (ending_at) WHERE state = 'ending';
CREATE INDEX session_settle_due ON session (settle_due_at) WHERE settle_due_at IS NOT NULL;
CREATE INDEX session_video ON session (account_id) WHERE state <> 'ended' AND media_session_id IS NOT NULL;
CREATE INDEX session_video_ended ON session (account_id, ended_at)
  WHERE state = 'ended' AND media_session_id IS NOT NULL;
CREATE INDEX session_video_recent ON session (account_id, created_at)
  WHERE state = 'ended' AND media_session_id IS NOT NULL;
CREATE INDEX tenant_suspended ON tenant (suspended_at) WHERE suspended_at IS NOT NULL;

-- Indexes of calls, limits and the ledger ---------------------------------------------------------

CREATE INDEX leg_bad_guess ON leg (number, last_wrong_pin_at) INCLUDE (pin_guess_odds, slow, known)
  WHERE last_wrong_pin_at IS NOT NULL;
CREATE INDEX leg_hangup_requested ON leg (tenant_id, hangup_requested_at, id) WHERE hangup_requested_at IS NOT NULL;
CREATE INDEX leg_known_guess ON leg (number, last_wrong_pin_at) INCLUDE (pin_guess_odds)
  WHERE known AND last_wrong_pin_at IS NOT NULL;
CREATE INDEX leg_of_caller ON leg (remote, created_at) WHERE kind = 'inbound';
CREATE INDEX leg_placed ON leg (tenant_id, created_at) WHERE kind = 'outbound';
CREATE INDEX leg_running ON leg (tenant_id) WHERE state <> 'ended' AND session_id IS NOT NULL;
CREATE INDEX leg_token ON leg (token_hash) WHERE token_hash IS NOT NULL;
CREATE INDEX leg_unadmitted ON leg (number, remote)
  WHERE kind = 'inbound' AND session_id IS NULL AND state NOT IN ('ending', 'ended');
CREATE INDEX leg_up ON leg (tenant_id) WHERE state <> 'ended' AND kind <> 'bridge';
CREATE INDEX leg_up_of_session ON leg (session_id) WHERE state <> 'ended';
CREATE INDEX pin_live ON pin (number, digits) WHERE quarantined_until IS NULL;
CREATE INDEX room_active ON room (tenant_id) WHERE state = 'active';

-- Sums of call records ----------------------------------------------------------------------------

-- A stub, so that the trigger can be created; prisma/functions/billing/maintain_sums.sql has the body.
CREATE FUNCTION maintain_sums() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE 'npm run migrate has not applied prisma/functions to this database';
END $$;

CREATE CONSTRAINT TRIGGER maintain_sums
  AFTER INSERT OR DELETE OR UPDATE OF
    tenant_id, room_id, ended_at, seconds, price_micro, currency, estimate_micro, tenant_currency, tenant_estimate_micro
  ON cdr DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION maintain_sums();

-- First rows --------------------------------------------------------------------------------------

INSERT INTO platform_limit DEFAULT VALUES;
-- Default rates, in millionths per minute. An operator replaces them (docs/operators.md).
INSERT INTO platform_rate (what, prefix, currency, micro_per_minute) VALUES
  ('inbound', '', 'EUR', 10000),
  ('outbound', '', 'EUR', 200000),
  ('outbound', '+1', 'EUR', 15000),
  ('outbound', '+44', 'EUR', 40000),
  ('outbound', '+49', 'EUR', 40000),
  ('bridge-voice', '', 'EUR', 5000),
  ('bridge-media', '', 'EUR', 10000),
  ('webrtc', '', 'EUR', 5000);
