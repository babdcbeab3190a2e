-- AlterTable
ALTER TABLE "tenant" ADD COLUMN     "allowed_countries" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "currency" TEXT NOT NULL DEFAULT 'EUR',
ADD COLUMN     "fraud_limits" JSONB NOT NULL DEFAULT '{}',
ADD COLUMN     "max_minutes_per_month" INTEGER,
ADD COLUMN     "max_spend_micro_per_month" BIGINT;

-- AlterTable
ALTER TABLE "room" ADD COLUMN     "max_spend_micro" BIGINT;

-- AlterTable
ALTER TABLE "dial_in_number" ADD COLUMN     "guarded" BOOLEAN NOT NULL DEFAULT true,
ADD COLUMN     "max_unadmitted" INTEGER NOT NULL DEFAULT 10,
ADD COLUMN     "slow_until" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "pin" ADD COLUMN     "digits" INTEGER;

-- AlterTable
ALTER TABLE "leg" ADD COLUMN     "slow" BOOLEAN NOT NULL DEFAULT false;

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
    "own_currency" TEXT,
    "own_estimate_micro" BIGINT,
    "source" TEXT NOT NULL,
    "stored_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ask_at" TIMESTAMPTZ(3),
    "asks" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "cdr_pkey" PRIMARY KEY ("id")
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

-- CreateIndex
CREATE INDEX "cdr_tenant_id_ended_at_id_idx" ON "cdr"("tenant_id", "ended_at", "id");

-- CreateIndex
CREATE INDEX "cdr_room_id_idx" ON "cdr"("room_id");

-- CreateIndex
CREATE UNIQUE INDEX "cdr_leg_id_handle_key" ON "cdr"("leg_id", "handle");


-- What Prisma's schema cannot say ------------------------------------------------------------------------------------------------

SELECT isolate_tenants(t) FROM unnest(ARRAY['cdr', 'warning']::regclass[]) AS t;
SELECT share_with_platform('platform_rate');
GRANT SELECT ON platform_rate TO partyline_tenant;

-- What the provider's records are still to be asked for.
CREATE INDEX "cdr_to_ask" ON "cdr" ("ask_at") WHERE "ask_at" IS NOT NULL;

-- Legs that cost something now.
CREATE INDEX "leg_running" ON "leg" ("tenant_id") WHERE "state" <> 'ended' AND "session_id" IS NOT NULL;

-- Money ------------------------------------------------------------------------------------------------------------------------------

ALTER TABLE platform_rate ADD CONSTRAINT platform_rate_prefix CHECK ("prefix" ~ '^(\+[1-9][0-9]{0,14})?$');
-- To begin with; an operator puts its own price list in their place (docs/operators.md). What names no number has no prefix.
INSERT INTO platform_rate (what, prefix, currency, micro_per_minute) VALUES
  ('inbound', '', 'EUR', 10000),
  ('outbound', '', 'EUR', 200000), ('outbound', '+1', 'EUR', 15000), ('outbound', '+44', 'EUR', 40000), ('outbound', '+49', 'EUR', 40000),
  ('bridge-voice', '', 'EUR', 5000), ('bridge-media', '', 'EUR', 10000), ('webrtc', '', 'EUR', 5000);

-- What a minute of one side of a leg is taken to cost, in millionths: the rate of the longest prefix that fits. What is in nobody's list is taken to be dear.
CREATE FUNCTION rate_per_minute(p_direction text, p_handle text, p_number text, p_currency text) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT COALESCE((
    SELECT r.micro_per_minute FROM platform_rate r
    WHERE r.what = CASE p_direction WHEN 'bridge' THEN 'bridge-' || p_handle ELSE p_direction END AND r.currency = p_currency AND COALESCE(p_number, '') LIKE r.prefix || '%'
    ORDER BY length(r.prefix) DESC LIMIT 1), 1000000)
$$;

-- What a record comes to by the operator's rates, as they are now.
CREATE FUNCTION estimate_anew(p_cdr cdr, p_seconds int, p_currency text) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT p_seconds * rate_per_minute(p_cdr.direction, p_cdr.handle, CASE p_cdr.direction WHEN 'outbound' THEN (SELECT l.remote FROM leg l WHERE l.id = p_cdr.leg_id) ELSE p_cdr.number END, p_currency) / 60
$$;

-- What a record counts for in a currency: the provider's charge if it is in that; else what the operator's rates in it made of the seconds, when it was written, or now if its
-- tenant's currency is another since. Amounts of two currencies are never added up. Its body is put in the place of its call, so that a month's many records cost no call each.
CREATE FUNCTION spent_micro(p_cdr cdr, p_currency text) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT CASE
    WHEN p_cdr.currency = p_currency THEN COALESCE(p_cdr.price_micro, p_cdr.estimate_micro)
    WHEN p_cdr.own_currency = p_currency THEN p_cdr.own_estimate_micro
    ELSE estimate_anew(p_cdr, p_cdr.seconds, p_currency) END
$$;

-- What is up costs until now, by side; the first minute is set aside as soon as a leg is decided, so that many at once cannot each find the last of the money.
-- p_tenant null: of all tenants that have a limit of any kind.
CREATE FUNCTION running_cost(p_tenant text) RETURNS TABLE (tenant_id text, room_id text, session_id text, seconds bigint, micro bigint) LANGUAGE sql STABLE AS $$
  SELECT l.tenant_id, s.room_id, l.session_id, u.seconds, (u.seconds * rate_per_minute(l.kind, h.handle, CASE l.kind WHEN 'outbound' THEN l.remote ELSE l.number END, t.currency) / 60)
  FROM leg l JOIN session s ON s.id = l.session_id JOIN tenant t ON t.id = l.tenant_id JOIN room r ON r.id = s.room_id,
    LATERAL (SELECT unnest(CASE l.kind WHEN 'bridge' THEN ARRAY['voice', 'media'] WHEN 'webrtc' THEN ARRAY['media'] ELSE ARRAY['voice'] END) AS handle) AS h,
    LATERAL (SELECT greatest(60, ceil(extract(epoch FROM clock_timestamp() - COALESCE(l.answered_at, clock_timestamp()))))::bigint AS seconds) AS u
  WHERE l.state <> 'ended' AND l.session_id IS NOT NULL AND CASE h.handle WHEN 'voice' THEN l.voice_closed_at IS NULL ELSE l.media_closed_at IS NULL END
    AND (l.tenant_id = p_tenant OR (p_tenant IS NULL AND (t.max_spend_micro_per_month IS NOT NULL OR t.max_minutes_per_month IS NOT NULL OR r.max_spend_micro IS NOT NULL)))
$$;

CREATE FUNCTION this_month() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' $$;

-- How much of each of its limits a tenant and a room have used, what is running included, and what one more leg needs to begin with. No rows where there is
-- no limit. Scopes: tenant-spend (millionths, this month), tenant-minutes (seconds, this month), room-spend (millionths, ever).
CREATE FUNCTION measure_spend(p_tenant text, p_room text, p_direction text, p_number text) RETURNS TABLE (scope text, used bigint, allowed bigint, one_more bigint, currency text)
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
  v_tenant tenant;
  v_room_limit bigint;
  v_one_more bigint;
BEGIN
  SELECT t.* INTO v_tenant FROM tenant t WHERE t.id = p_tenant;
  SELECT r.max_spend_micro INTO v_room_limit FROM room r WHERE r.id = p_room AND r.tenant_id = p_tenant;
  IF v_tenant.max_spend_micro_per_month IS NULL AND v_tenant.max_minutes_per_month IS NULL AND v_room_limit IS NULL THEN RETURN; END IF;
  v_one_more := rate_per_minute(p_direction, CASE p_direction WHEN 'webrtc' THEN 'media' ELSE 'voice' END, p_number, v_tenant.currency);
  RETURN QUERY WITH running AS MATERIALIZED (SELECT * FROM running_cost(p_tenant)),
    month AS MATERIALIZED (
      SELECT COALESCE(sum(c.seconds), 0)::bigint AS seconds, COALESCE(sum(spent_micro(c, v_tenant.currency)), 0)::bigint AS micro
      FROM cdr c WHERE c.tenant_id = p_tenant AND c.ended_at >= this_month())
    SELECT 'tenant-spend', (month.micro + (SELECT COALESCE(sum(r.micro), 0) FROM running r))::bigint, v_tenant.max_spend_micro_per_month, v_one_more, v_tenant.currency
      FROM month WHERE v_tenant.max_spend_micro_per_month IS NOT NULL
    UNION ALL
    SELECT 'tenant-minutes', (month.seconds + (SELECT COALESCE(sum(r.seconds), 0) FROM running r))::bigint, v_tenant.max_minutes_per_month * 60::bigint, 60::bigint, v_tenant.currency
      FROM month WHERE v_tenant.max_minutes_per_month IS NOT NULL
    UNION ALL
    SELECT 'room-spend', (SELECT COALESCE(sum(spent_micro(c, v_tenant.currency)), 0) FROM cdr c WHERE c.room_id = p_room AND c.tenant_id = p_tenant)::bigint
      + (SELECT COALESCE(sum(r.micro), 0) FROM running r WHERE r.room_id = p_room)::bigint, v_room_limit, v_one_more, v_tenant.currency
      WHERE v_room_limit IS NOT NULL;
END $$;

-- The same, and until this transaction ends nobody else decides about the tenant's money (see hold_limit).
CREATE FUNCTION hold_spend(p_tenant text, p_room text, p_direction text, p_number text) RETURNS TABLE (scope text, used bigint, allowed bigint, one_more bigint, currency text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('spend ' || p_tenant, 0));
  RETURN QUERY SELECT * FROM measure_spend(p_tenant, p_room, p_direction, p_number);
END $$;

-- Callers not yet admitted (reliability.md §4) -------------------------------------------------------------------------------------------

CREATE INDEX "leg_unadmitted" ON "leg" ("number", "remote") WHERE "kind" = 'inbound' AND "session_id" IS NULL AND "state" NOT IN ('ending', 'ended');
CREATE INDEX "leg_of_caller" ON "leg" ("remote", "created_at") WHERE "kind" = 'inbound';
CREATE INDEX "leg_bad_guess" ON "leg" ("number", "created_at") WHERE "kind" = 'inbound' AND ("tries" > 1 OR "last_outcome" IN ('wrong-pin', 'refused'));

-- May a call that has no leg yet be asked for a PIN? ask | slow: yes, and in slow mode | busy: too many are being asked | later: its caller keyed only wrong PINs
-- lately, and each such call doubles the wait before the next, from 15 seconds to an hour. The cap is exact: whoever finds room for one more looks again under a
-- lock; those for whom there is none need not wait for it.
CREATE FUNCTION guard_caller(p_number dial_in_number, p_remote text, p_call text) RETURNS text LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_slow boolean := p_number.slow_until IS NOT NULL AND p_number.slow_until > now();
  v_most int := p_number.max_unadmitted;
  v_wrong int;
  v_last timestamptz;
BEGIN
  IF NOT p_number.guarded OR EXISTS (SELECT FROM leg l WHERE l.voice_call_id = p_call) THEN RETURN 'ask'; END IF;
  IF p_remote IS NOT NULL THEN
    -- A caller id that is withheld is many people's, and none of them waits for another's mistakes.
    SELECT count(*), max(COALESCE(l.ended_at, l.owed_at)) INTO v_wrong, v_last FROM leg l
    WHERE l.kind = 'inbound' AND l.remote = p_remote AND l.last_outcome IN ('wrong-pin', 'refused') AND l.state IN ('ending', 'ended')
      AND l.created_at > GREATEST(now() - interval '1 day', COALESCE((SELECT a.created_at FROM leg a WHERE a.kind = 'inbound' AND a.remote = p_remote AND a.last_outcome = 'admitted' ORDER BY a.created_at DESC LIMIT 1), '-infinity'));
    IF v_wrong > 0 AND v_last + LEAST(interval '1 hour', interval '15 seconds' * 2 ^ LEAST(v_wrong - 1, 10)) > now() THEN RETURN 'later'; END IF;
  END IF;
  IF v_slow THEN
    -- Those who have been let in before are not made to wait for whoever guesses; strangers come one at a time.
    v_most := LEAST(v_most, CASE WHEN EXISTS (SELECT FROM leg a WHERE a.kind = 'inbound' AND a.remote = p_remote AND a.last_outcome = 'admitted' AND a.created_at > now() - interval '30 days') THEN 3 ELSE 1 END);
  END IF;
  FOR v_look IN 1..2 LOOP
    IF (SELECT count(*) FROM leg l WHERE l.kind = 'inbound' AND l.session_id IS NULL AND l.state NOT IN ('ending', 'ended') AND l.number = p_number.e164) >= v_most
      OR (SELECT count(*) FROM leg l WHERE l.kind = 'inbound' AND l.session_id IS NULL AND l.state NOT IN ('ending', 'ended') AND l.number = p_number.e164 AND l.remote IS NOT DISTINCT FROM p_remote) >= 2
    THEN RETURN 'busy'; END IF;
    IF v_look = 1 THEN PERFORM pg_advisory_xact_lock(hashtextextended('callers of ' || p_number.e164, 0)); END IF;
  END LOOP;
  RETURN CASE WHEN v_slow THEN 'slow' ELSE 'ask' END;
END $$;

-- How many wrong PINs were keyed on a number within a day, and how many there may be so that the odds that one of them was right stay below one in a
-- thousand: guesses × PINs of a length / PINs that there can be of it (ten, then nine for each further digit, since no two neighbours are equal).
CREATE FUNCTION guess_budget(p_number text) RETURNS TABLE (bad bigint, budget bigint) LANGUAGE sql STABLE SET enable_seqscan = off AS $$
  SELECT (SELECT COALESCE(sum(l.tries - CASE WHEN l.last_outcome IN ('wrong-pin', 'refused') THEN 0 ELSE 1 END), 0)::bigint FROM leg l
          WHERE l.kind = 'inbound' AND l.number = p_number AND l.created_at > now() - interval '1 day' AND (l.tries > 1 OR l.last_outcome IN ('wrong-pin', 'refused'))),
         (SELECT floor(0.001 / max(n / (10 * 9::numeric ^ (digits - 1))))::bigint
          FROM (SELECT COALESCE(p.digits, 6) AS digits, count(*)::numeric AS n FROM pin p WHERE p.number = p_number AND p.free_at IS NULL GROUP BY 1) AS lengths)
$$;

-- A wrong PIN was keyed on a number: when that was one too many, it is in slow mode for an hour from now. Not looked at while there cannot have been
-- too many: by the rule that says how long a PIN must be (libs/domain/src/pin.ts) the budget is never below 313.
CREATE FUNCTION note_bad_guess(p_number text) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
  IF (SELECT count(*) FROM (SELECT FROM leg l WHERE l.kind = 'inbound' AND l.number = p_number AND l.created_at > now() - interval '1 day'
      AND (l.tries > 1 OR l.last_outcome IN ('wrong-pin', 'refused')) LIMIT 104) AS lately) < 104 THEN RETURN; END IF;
  UPDATE dial_in_number d SET slow_until = now() + interval '1 hour' FROM guess_budget(p_number) AS g WHERE d.e164 = p_number AND d.guarded AND g.bad >= g.budget;
END $$;

-- The webhooks run them as the platform (see the migration `isolation`); the rest run as whoever asks.
GRANT CREATE ON SCHEMA public TO partyline_platform;
DO $$
DECLARE
  v_function regprocedure;
BEGIN
  FOR v_function IN SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname IN ('guard_caller', 'guess_budget', 'note_bad_guess') LOOP
    EXECUTE format('ALTER FUNCTION %s OWNER TO partyline_platform', v_function);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_function);
  END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM partyline_platform;
