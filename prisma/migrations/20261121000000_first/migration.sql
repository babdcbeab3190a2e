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
CREATE INDEX "session_ending" ON "session" ("ending_at") WHERE "state" = 'ending';
CREATE INDEX "session_settle_owed" ON "session" ("settle_owed_at") WHERE "settle_owed_at" IS NOT NULL;
CREATE INDEX "session_bridge_owed" ON "session" ("bridge_owed_at") WHERE "bridge_owed_at" IS NOT NULL;
CREATE INDEX "leg_unadmitted_due" ON "leg" ("deadline_at") WHERE "session_id" IS NULL AND "state" <> 'ended';
CREATE INDEX "leg_ending" ON "leg" ("owed_at") WHERE "state" = 'ending';
CREATE INDEX "leg_requested" ON "leg" ("created_at") WHERE "state" = 'requested';
CREATE INDEX "leg_dialling" ON "leg" ("dialled_at") WHERE "state" = 'dialling';
CREATE INDEX "leg_token" ON "leg" ("token_hash") WHERE "token_hash" IS NOT NULL;

-- A tenant's hang-up ledger, newest first.
CREATE INDEX "leg_owed" ON "leg" ("tenant_id", "owed_at", "id") WHERE "owed_at" IS NOT NULL;

-- What delivery reads: only events that are yet to be sent, so those of a tenant without an address cost nothing. By when they are due; by
-- session, to see whether an earlier one is still to be sent; and those being sent, of which a tenant has but so many.
CREATE INDEX "outbox_due" ON "outbox" ("next_try_at", "id") WHERE "next_try_at" IS NOT NULL;
CREATE INDEX "outbox_unsent" ON "outbox" ("session_id", "seq") WHERE "next_try_at" IS NOT NULL;
CREATE INDEX "outbox_leased" ON "outbox" ("tenant_id", "lease_until") WHERE "lease_until" IS NOT NULL;

-- The three voice webhooks that hold a caller on the line. Each is one function, so that it costs one round trip; each takes the
-- webhook's token id and refuses the second use in the same transaction, and each gives a repeated request the answer of the first.

-- Without sequential scans: a plan that was made while a table was small is kept until the table is analysed, and by then each webhook would
-- read all of it (seen in the bench: 3.9 ms of Postgres a call instead of 0.2).

-- A caller dialled a number. Outcomes: ask | unknown-number | let-go | replayed.
CREATE FUNCTION answer_caller(p_jti text, p_jti_expires timestamptz, p_leg text, p_call text, p_number text, p_remote text, p_keying_s int)
RETURNS TABLE (outcome text, leg_id text, language text) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_leg leg;
  v_language text;
BEGIN
  INSERT INTO webhook_jti (jti, expires_at) VALUES (p_jti, p_jti_expires) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN QUERY SELECT 'replayed', NULL::text, NULL::text; RETURN; END IF;

  SELECT d.language INTO v_language FROM dial_in_number d WHERE d.e164 = p_number;
  IF NOT FOUND THEN RETURN QUERY SELECT 'unknown-number', NULL::text, 'en-US'; RETURN; END IF;

  INSERT INTO leg (id, kind, state, number, remote, voice_call_id, deadline_at)
  VALUES (p_leg, 'inbound', 'ringing', p_number, p_remote, p_call, now() + make_interval(secs => p_keying_s))
  ON CONFLICT (voice_call_id) DO NOTHING;
  SELECT * INTO v_leg FROM leg l WHERE l.voice_call_id = p_call;
  RETURN QUERY SELECT CASE WHEN v_leg.state IN ('ending', 'ended') THEN 'let-go' ELSE 'ask' END, v_leg.id, v_language;
END $$;

-- A caller keyed a PIN (p_lookup is its keyed HMAC, null when what was keyed cannot be one). p_try counts from 1 and says which prompt
-- this answers, so a repeat is told from a new try. Outcomes: admitted | wrong-pin | refused | full | let-go | unknown-call | replayed.
CREATE FUNCTION admit_caller(p_jti text, p_jti_expires timestamptz, p_leg text, p_call text, p_try int, p_max_tries int, p_lookup bytea,
                             p_session text, p_conversation text, p_participant text)
RETURNS TABLE (outcome text, language text, tries int, tenant_id text, session_id text, conversation text) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_leg leg;
  v_room room;
  v_session session;
  v_language text;
  v_outcome text;
BEGIN
  INSERT INTO webhook_jti (jti, expires_at) VALUES (p_jti, p_jti_expires) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN QUERY SELECT 'replayed', 'en-US', 0, NULL::text, NULL::text, NULL::text; RETURN; END IF;

  SELECT * INTO v_leg FROM leg l WHERE l.id = p_leg AND l.voice_call_id = p_call AND l.kind = 'inbound' FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN QUERY SELECT 'unknown-call', 'en-US', 0, NULL::text, NULL::text, NULL::text; RETURN; END IF;
  SELECT COALESCE((SELECT d.language FROM dial_in_number d WHERE d.e164 = v_leg.number), 'en-US') INTO v_language;

  IF p_try <= v_leg.tries THEN
    SELECT * INTO v_session FROM session s WHERE s.id = v_leg.session_id;
    -- The same webhook again (its answer was lost): the same answer again, unless the call is to end by now.
    v_outcome := CASE WHEN v_leg.last_outcome = 'admitted' AND (v_leg.state IN ('ending', 'ended') OR v_session.state NOT IN ('open', 'live')) THEN 'let-go' ELSE v_leg.last_outcome END;
    RETURN QUERY SELECT v_outcome, v_language, v_leg.tries, v_leg.tenant_id, v_leg.session_id, v_session.conversation; RETURN;
  END IF;
  IF v_leg.session_id IS NOT NULL OR v_leg.state IN ('ending', 'ended') THEN
    RETURN QUERY SELECT 'let-go', v_language, v_leg.tries, NULL::text, NULL::text, NULL::text; RETURN;
  END IF;

  -- The tenant comes from the PIN's row, never from the caller.
  SELECT r.* INTO v_room FROM pin p JOIN room r ON r.id = p.room_id
  WHERE p.number = v_leg.number AND p.lookup = p_lookup AND p.free_at IS NULL AND r.state = 'active';

  IF FOUND THEN
    LOOP
      SELECT * INTO v_session FROM session s WHERE s.room_id = v_room.id AND s.state IN ('open', 'live') FOR NO KEY UPDATE;
      EXIT WHEN FOUND;
      -- The room's last session is over, and this caller opens the next, unless the room ended while we waited for the session.
      SELECT r.* INTO v_room FROM room r WHERE r.id = v_room.id AND r.state = 'active' FOR SHARE;
      EXIT WHEN NOT FOUND;
      -- Two at once: the index lets one in, the other waits and finds it.
      INSERT INTO session (id, tenant_id, room_id, state, conversation, due_at, due_reason)
      VALUES (p_session, v_room.tenant_id, v_room.id, 'open', p_conversation, now() + make_interval(secs => v_room.max_duration_s), 'max-duration')
      ON CONFLICT DO NOTHING;
    END LOOP;
  END IF;

  IF v_room.id IS NULL THEN
    v_outcome := CASE WHEN v_leg.tries + 1 >= p_max_tries THEN 'refused' ELSE 'wrong-pin' END;
    UPDATE leg l SET tries = l.tries + 1, version = l.version + 1, last_outcome = v_outcome,
      state = CASE WHEN v_outcome = 'refused' THEN 'ending' WHEN l.state IN ('requested', 'dialling', 'ringing') THEN 'answered' ELSE l.state END,
      answered_at = COALESCE(l.answered_at, now()),
      owed_at = CASE WHEN v_outcome = 'refused' THEN now() END,
      owed_reason = CASE WHEN v_outcome = 'refused' THEN 'too-many-tries' END,
      -- Let go by the good-bye that is spoken now; hung up only if the call outlasts it.
      deadline_at = CASE WHEN v_outcome = 'refused' THEN now() + interval '15 seconds' ELSE l.deadline_at END
    WHERE l.id = p_leg;
    RETURN QUERY SELECT v_outcome, v_language, v_leg.tries + 1, NULL::text, NULL::text, NULL::text; RETURN;
  END IF;

  IF (SELECT count(*) FROM leg l WHERE l.session_id = v_session.id AND l.state <> 'ended' AND l.kind <> 'bridge') >= v_room.max_participants THEN
    UPDATE leg l SET tries = l.tries + 1, version = l.version + 1, last_outcome = 'full', state = 'ending', owed_at = now(), owed_reason = 'room-full',
      deadline_at = now() + interval '15 seconds' WHERE l.id = p_leg;
    RETURN QUERY SELECT 'full', v_language, v_leg.tries + 1, NULL::text, NULL::text, NULL::text; RETURN;
  END IF;

  INSERT INTO participant (id, tenant_id, room_id, kind, name) VALUES (p_participant, v_room.tenant_id, v_room.id, 'caller', 'Caller');
  UPDATE leg l SET tries = l.tries + 1, version = l.version + 1, last_outcome = 'admitted', answered_at = COALESCE(l.answered_at, now()),
    state = CASE WHEN l.state IN ('requested', 'dialling', 'ringing') THEN 'answered' ELSE l.state END,
    tenant_id = v_room.tenant_id, session_id = v_session.id, participant_id = p_participant,
    deadline_at = v_session.created_at + make_interval(secs => v_room.max_duration_s)
  WHERE l.id = p_leg;
  UPDATE session s SET settle_owed_at = now(), version = s.version + 1 WHERE s.id = v_session.id;
  RETURN QUERY SELECT 'admitted', v_language, v_leg.tries + 1, v_room.tenant_id, v_session.id, v_session.conversation;
END $$;

-- A call that we made was picked up: the bridge (named by its one-time token) or somebody we rang (named by the leg id in the answer
-- URL). Outcomes: join | let-go | unknown-leg | replayed. The call's id is kept even when it is to be let go, for it must be seen closed.
CREATE FUNCTION answer_own_leg(p_jti text, p_jti_expires timestamptz, p_leg text, p_token_hash bytea, p_call text)
RETURNS TABLE (outcome text, tenant_id text, session_id text, conversation text, leg_id text, kind text) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_leg leg;
  v_session session;
BEGIN
  INSERT INTO webhook_jti (jti, expires_at) VALUES (p_jti, p_jti_expires) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN QUERY SELECT 'replayed', NULL::text, NULL::text, NULL::text, NULL::text, NULL::text; RETURN; END IF;

  -- Session before leg, as everywhere: one order of locks.
  SELECT s.* INTO v_session FROM leg l JOIN session s ON s.id = l.session_id
  WHERE (p_token_hash IS NOT NULL AND l.token_hash = p_token_hash AND l.kind = 'bridge') OR (p_token_hash IS NULL AND l.id = p_leg AND l.kind = 'outbound') FOR NO KEY UPDATE OF s;
  IF FOUND THEN
    SELECT l.* INTO v_leg FROM leg l
    WHERE (p_token_hash IS NOT NULL AND l.token_hash = p_token_hash AND l.kind = 'bridge') OR (p_token_hash IS NULL AND l.id = p_leg AND l.kind = 'outbound') FOR NO KEY UPDATE;
  END IF;
  -- A token is good for one call; another call that shows it is nobody of ours.
  IF v_leg.id IS NULL OR (v_leg.voice_call_id IS NOT NULL AND v_leg.voice_call_id <> p_call) THEN
    RETURN QUERY SELECT 'unknown-leg', NULL::text, NULL::text, NULL::text, NULL::text, NULL::text; RETURN;
  END IF;

  IF v_leg.state IN ('ending', 'ended') OR v_session.state NOT IN ('open', 'live') THEN
    -- Asked (again) at once: what was asked before could not name this call.
    UPDATE leg l SET voice_call_id = p_call, version = l.version + 1, asked_at = NULL WHERE l.id = v_leg.id AND l.voice_call_id IS NULL;
    RETURN QUERY SELECT 'let-go', v_leg.tenant_id, v_leg.session_id, NULL::text, v_leg.id, v_leg.kind; RETURN;
  END IF;

  UPDATE leg l SET voice_call_id = p_call, version = l.version + 1, answered_at = COALESCE(l.answered_at, now()),
    state = CASE WHEN l.state IN ('requested', 'dialling', 'ringing') THEN 'answered' ELSE l.state END
  WHERE l.id = v_leg.id;
  UPDATE session s SET settle_owed_at = now(), version = s.version + 1 WHERE s.id = v_session.id;
  RETURN QUERY SELECT 'join', v_leg.tenant_id, v_leg.session_id, v_session.conversation, v_leg.id, v_leg.kind;
END $$;
