-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateTable
CREATE TABLE "tenant" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "events_url" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "tenant_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_key" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "label" TEXT NOT NULL,
    "secret_hash" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_key_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "dial_in_number" (
    "e164" TEXT NOT NULL,
    "language" TEXT NOT NULL DEFAULT 'en-US',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

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
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "room_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "pin" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "room_id" TEXT NOT NULL,
    "number" TEXT NOT NULL,
    "lookup" BYTEA NOT NULL,
    "sealed" BYTEA NOT NULL,
    "free_at" TIMESTAMPTZ(3),

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
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "due_reason" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "live_at" TIMESTAMPTZ(3),
    "ending_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),
    "end_reason" TEXT,
    "last_seq" INTEGER NOT NULL DEFAULT 0,
    "settle_owed_at" TIMESTAMPTZ(3),
    "bridge_failures" INTEGER NOT NULL DEFAULT 0,
    "bridge_owed_at" TIMESTAMPTZ(3),

    CONSTRAINT "session_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "participant" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "room_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "name" TEXT NOT NULL,
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
    "state" TEXT NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 0,
    "number" TEXT,
    "remote" TEXT,
    "token_hash" BYTEA,
    "media_connection_id" TEXT,
    "media_closed_at" TIMESTAMPTZ(3),
    "sip_over_at" TIMESTAMPTZ(3),
    "voice_call_id" TEXT,
    "voice_closed_at" TIMESTAMPTZ(3),
    "tries" INTEGER NOT NULL DEFAULT 0,
    "last_outcome" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "dialled_at" TIMESTAMPTZ(3),
    "answered_at" TIMESTAMPTZ(3),
    "joined_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),
    "deadline_at" TIMESTAMPTZ(3) NOT NULL,
    "owed_at" TIMESTAMPTZ(3),
    "owed_reason" TEXT,
    "asked_at" TIMESTAMPTZ(3),
    "asks" INTEGER NOT NULL DEFAULT 0,
    "lease_until" TIMESTAMPTZ(3),
    "confirmed_at" TIMESTAMPTZ(3),
    "outcome" TEXT,
    "reason" TEXT,

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
    "room_id" TEXT NOT NULL,
    "session_id" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "type" TEXT NOT NULL,
    "data" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "delivered_at" TIMESTAMPTZ(3),
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "next_try_at" TIMESTAMPTZ(3),
    "lease_until" TIMESTAMPTZ(3),

    CONSTRAINT "outbox_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "webhook_jti" (
    "jti" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "webhook_jti_pkey" PRIMARY KEY ("jti")
);

-- CreateTable
CREATE TABLE "provider_pace" (
    "account" TEXT NOT NULL,
    "lane" TEXT NOT NULL,
    "free_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "provider_pace_pkey" PRIMARY KEY ("account","lane")
);

-- CreateTable
CREATE TABLE "stray" (
    "id" TEXT NOT NULL,
    "first_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "sweeps" INTEGER NOT NULL DEFAULT 1,
    "asked_at" TIMESTAMPTZ(3),
    "false_kill_at" TIMESTAMPTZ(3),

    CONSTRAINT "stray_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "turn" (
    "name" TEXT NOT NULL,
    "free_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "turn_pkey" PRIMARY KEY ("name")
);

-- CreateIndex
CREATE INDEX "api_key_tenant_id_idx" ON "api_key"("tenant_id");

-- CreateIndex
CREATE INDEX "room_tenant_id_created_at_id_idx" ON "room"("tenant_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "pin_room_id_idx" ON "pin"("room_id");

-- CreateIndex
CREATE INDEX "pin_free_at_idx" ON "pin"("free_at");

-- CreateIndex
CREATE UNIQUE INDEX "pin_number_lookup_key" ON "pin"("number", "lookup");

-- CreateIndex
CREATE UNIQUE INDEX "session_conversation_key" ON "session"("conversation");

-- CreateIndex
CREATE UNIQUE INDEX "session_media_session_id_key" ON "session"("media_session_id");

-- CreateIndex
CREATE INDEX "session_tenant_id_idx" ON "session"("tenant_id");

-- CreateIndex
CREATE INDEX "session_room_id_created_at_idx" ON "session"("room_id", "created_at");

-- CreateIndex
CREATE INDEX "participant_tenant_id_room_id_idx" ON "participant"("tenant_id", "room_id");

-- CreateIndex
CREATE UNIQUE INDEX "leg_voice_call_id_key" ON "leg"("voice_call_id");

-- CreateIndex
CREATE INDEX "leg_session_id_idx" ON "leg"("session_id");

-- CreateIndex
CREATE INDEX "leg_media_connection_id_idx" ON "leg"("media_connection_id");

-- CreateIndex
CREATE INDEX "observation_leg_id_idx" ON "observation"("leg_id");

-- CreateIndex
CREATE INDEX "outbox_tenant_id_id_idx" ON "outbox"("tenant_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "outbox_session_id_seq_key" ON "outbox"("session_id", "seq");

-- CreateIndex
CREATE INDEX "webhook_jti_expires_at_idx" ON "webhook_jti"("expires_at");

-- AddForeignKey
ALTER TABLE "api_key" ADD CONSTRAINT "api_key_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenant"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "room" ADD CONSTRAINT "room_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenant"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "pin" ADD CONSTRAINT "pin_room_id_fkey" FOREIGN KEY ("room_id") REFERENCES "room"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "session" ADD CONSTRAINT "session_room_id_fkey" FOREIGN KEY ("room_id") REFERENCES "room"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "leg" ADD CONSTRAINT "leg_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "session"("id") ON DELETE CASCADE ON UPDATE CASCADE;


-- What Prisma's schema cannot say ------------------------------------------------------------------------------------------------

-- One current session in a room, and one live bridge leg in a session: two requests at once make one, the second finds the first.
CREATE UNIQUE INDEX "session_one_current" ON "session" ("room_id") WHERE "state" IN ('open', 'live');
CREATE UNIQUE INDEX "leg_one_bridge" ON "leg" ("session_id") WHERE "kind" = 'bridge' AND "state" <> 'ended';

-- What the sweeps of the cleanup worker read every second: only rows that owe something.
CREATE INDEX "session_due" ON "session" ("due_at") WHERE "state" IN ('open', 'live');
CREATE INDEX "room_ended" ON "room" ("ended_at") WHERE "ended_at" IS NOT NULL;
CREATE INDEX "session_ending" ON "session" ("ending_at") WHERE "state" = 'ending';
CREATE INDEX "session_settle_owed" ON "session" ("settle_owed_at") WHERE "settle_owed_at" IS NOT NULL;
CREATE INDEX "session_bridge_owed" ON "session" ("bridge_owed_at") WHERE "bridge_owed_at" IS NOT NULL;
CREATE INDEX "leg_unadmitted_due" ON "leg" ("deadline_at") WHERE "session_id" IS NULL AND "state" <> 'ended';
CREATE INDEX "leg_ending" ON "leg" ("owed_at") WHERE "state" = 'ending';
CREATE INDEX "leg_requested" ON "leg" ("created_at") WHERE "state" = 'requested';
CREATE INDEX "leg_dialling" ON "leg" ("dialled_at") WHERE "state" = 'dialling';
-- Dials whose answer was lost, which an inventory compares with the provider's calls to the same number.
CREATE INDEX "leg_unnamed" ON "leg" ("remote") WHERE "kind" = 'outbound' AND "voice_call_id" IS NULL;
CREATE INDEX "leg_token" ON "leg" ("token_hash") WHERE "token_hash" IS NOT NULL;

-- A tenant's hang-up ledger, newest first.
CREATE INDEX "leg_owed" ON "leg" ("tenant_id", "owed_at", "id") WHERE "owed_at" IS NOT NULL;

-- What delivery reads: only events that are yet to be sent, so those of a tenant without an address cost nothing. By when they are due; by
-- session, to see whether an earlier one is still to be sent; and those being sent, of which a tenant has but so many.
CREATE INDEX "outbox_due" ON "outbox" ("next_try_at", "id") WHERE "next_try_at" IS NOT NULL;
CREATE INDEX "outbox_unsent" ON "outbox" ("session_id", "seq") WHERE "next_try_at" IS NOT NULL;
CREATE INDEX "outbox_leased" ON "outbox" ("tenant_id", "lease_until") WHERE "lease_until" IS NOT NULL;
