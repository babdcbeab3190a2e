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
ALTER TABLE "leg" ADD COLUMN     "guess_odds" DOUBLE PRECISION NOT NULL DEFAULT 0,
ADD COLUMN     "guessed_at" TIMESTAMPTZ(3),
ADD COLUMN     "known" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "slow" BOOLEAN NOT NULL DEFAULT false;

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
-- Not in plain SQL, which is planned anew at each call: a month's records are many.
CREATE FUNCTION rate_per_minute(p_direction text, p_handle text, p_number text, p_currency text) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN COALESCE((
    SELECT r.micro_per_minute FROM platform_rate r
    WHERE r.what = CASE p_direction WHEN 'bridge' THEN 'bridge-' || p_handle ELSE p_direction END AND r.currency = p_currency AND COALESCE(p_number, '') LIKE r.prefix || '%'
    ORDER BY length(r.prefix) DESC LIMIT 1), 1000000);
END $$;

-- What a record comes to by the operator's rates, as they are now.
CREATE FUNCTION estimate_anew(p_cdr cdr, p_seconds int, p_currency text) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN p_seconds * rate_per_minute(p_cdr.direction, p_cdr.handle, CASE p_cdr.direction WHEN 'outbound' THEN (SELECT l.remote FROM leg l WHERE l.id = p_cdr.leg_id) ELSE p_cdr.number END, p_currency) / 60;
END $$;

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

CREATE FUNCTION has_spend_limit(p_tenant text, p_room text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM tenant t WHERE t.id = p_tenant AND (t.max_spend_micro_per_month IS NOT NULL OR t.max_minutes_per_month IS NOT NULL))
    OR EXISTS (SELECT FROM room r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.max_spend_micro IS NOT NULL)
$$;

-- How much of each of its limits a tenant and a room have used, what is running included, and what one more leg needs to begin with. No rows where there is
-- no limit. Scopes: tenant-spend (millionths, this month), tenant-minutes (seconds, this month), room-spend (millionths, ever). Of what is over the sums are kept (see the
-- migration `sums_of_records`).
CREATE FUNCTION measure_spend(p_tenant text, p_room text, p_direction text, p_number text) RETURNS TABLE (scope text, used bigint, allowed bigint, one_more bigint, currency text)
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
  v_tenant tenant;
  v_room_limit bigint;
  v_one_more bigint;
BEGIN
  IF NOT has_spend_limit(p_tenant, p_room) THEN RETURN; END IF;
  SELECT t.* INTO v_tenant FROM tenant t WHERE t.id = p_tenant;
  SELECT r.max_spend_micro INTO v_room_limit FROM room r WHERE r.id = p_room AND r.tenant_id = p_tenant;
  v_one_more := rate_per_minute(p_direction, CASE p_direction WHEN 'webrtc' THEN 'media' ELSE 'voice' END, p_number, v_tenant.currency);
  RETURN QUERY WITH running AS MATERIALIZED (SELECT * FROM running_cost(p_tenant)),
    month AS MATERIALIZED (SELECT * FROM month_spent(p_tenant, v_tenant.currency))
    SELECT 'tenant-spend', (month.micro + (SELECT COALESCE(sum(r.micro), 0) FROM running r))::bigint, v_tenant.max_spend_micro_per_month, v_one_more, v_tenant.currency
      FROM month WHERE v_tenant.max_spend_micro_per_month IS NOT NULL
    UNION ALL
    SELECT 'tenant-minutes', (month.seconds + (SELECT COALESCE(sum(r.seconds), 0) FROM running r))::bigint, v_tenant.max_minutes_per_month * 60::bigint, 60::bigint, v_tenant.currency
      FROM month WHERE v_tenant.max_minutes_per_month IS NOT NULL
    UNION ALL
    SELECT 'room-spend', room_spent(p_tenant, p_room, v_tenant.currency) + (SELECT COALESCE(sum(r.micro), 0) FROM running r WHERE r.room_id = p_room)::bigint, v_room_limit, v_one_more, v_tenant.currency
      WHERE v_room_limit IS NOT NULL;
END $$;

-- The same, and until this transaction ends nobody else decides about the tenant's money; without a limit there is nothing to decide, and nobody waits.
CREATE FUNCTION hold_spend(p_tenant text, p_room text, p_direction text, p_number text) RETURNS TABLE (scope text, used bigint, allowed bigint, one_more bigint, currency text) LANGUAGE plpgsql AS $$
BEGIN
  IF NOT has_spend_limit(p_tenant, p_room) THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('spend ' || p_tenant, 0));
  RETURN QUERY SELECT * FROM measure_spend(p_tenant, p_room, p_direction, p_number);
END $$;

-- Callers not yet admitted (reliability.md §4) -------------------------------------------------------------------------------------------

CREATE INDEX "leg_unadmitted" ON "leg" ("number", "remote") WHERE "kind" = 'inbound' AND "session_id" IS NULL AND "state" NOT IN ('ending', 'ended');
CREATE INDEX "leg_of_caller" ON "leg" ("remote", "created_at") WHERE "kind" = 'inbound';
CREATE INDEX "leg_bad_guess" ON "leg" ("number", "guessed_at") INCLUDE ("guess_odds", "slow", "known") WHERE "guessed_at" IS NOT NULL;
CREATE INDEX "leg_known_guess" ON "leg" ("number", "guessed_at") INCLUDE ("guess_odds") WHERE "known" AND "guessed_at" IS NOT NULL;
CREATE INDEX "pin_live" ON "pin" ("number", "digits") WHERE "free_at" IS NULL;

-- How often a caller may key a PIN in a call, and for how long from each prompt; in slow mode the prompt takes half a minute by itself. Here and nowhere else.
CREATE FUNCTION tries_for_pin(p_slow boolean) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN p_slow THEN 1 ELSE 3 END $$;
CREATE FUNCTION time_to_key(p_slow boolean) RETURNS interval LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN p_slow THEN interval '60 seconds' ELSE interval '30 seconds' END $$;
-- How long a good-bye that is spoken may take before its call is hung up.
CREATE FUNCTION time_for_good_bye() RETURNS interval LANGUAGE sql IMMUTABLE AS $$ SELECT interval '15 seconds' $$;

-- The odds of all wrong PINs of a number, within any 24 hours, add up to a thousandth at the most (I20): half of it is for ordinary times, and when that is used
-- up, which begins slow mode, a quarter for strangers and a quarter for callers who were let in lately. Nobody is asked for a PIN unless the tries that they get, and
-- those that all others who are being asked have left, still fit: then it holds whatever they key, and a right PIN need never be refused.

-- The odds that one guess at a number's PINs is right, for the length at which they are best: PINs that are live / PINs that there can be (ten, then nine for
-- each further digit, since no two neighbours are equal). 0 without a live PIN, and where nobody is guarded against.
CREATE FUNCTION guess_odds(p_number text) RETURNS double precision LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT COALESCE(max(n / (10 * 9::double precision ^ (digits - 1))), 0) FROM (
    SELECT COALESCE(p.digits, 6) AS digits, count(*) AS n FROM pin p JOIN dial_in_number d ON d.e164 = p.number AND d.guarded WHERE p.number = p_number AND p.free_at IS NULL GROUP BY 1) AS lengths);
END $$;

-- Is a number in slow mode, or must it be from now on? p_tries is what those who are being asked have left. It lasts until so much of what was keyed is a day old
-- that there is room again for as many as may be asked at once. To be asked under the lock of the number's callers.
CREATE FUNCTION slow_down(p_number text, p_tries bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_number dial_in_number;
  v_spent double precision;
  v_odds double precision := 1e-5;
BEGIN
  SELECT d.* INTO v_number FROM dial_in_number d WHERE d.e164 = p_number;
  IF v_number.slow_until > now() THEN RETURN true; END IF;
  SELECT COALESCE(sum(l.guess_odds), 0) INTO v_spent FROM leg l WHERE l.number = p_number AND l.guessed_at > now() - interval '1 day';
  FOR v_look IN 1..2 LOOP
    IF v_spent + (p_tries + tries_for_pin(false)) * v_odds <= 0.0005 THEN RETURN false; END IF;
    -- PINs are only counted when it is near: no number's odds are worse than one in 100,000, by the rule that says how long a PIN must be (libs/domain/src/pin.ts).
    v_odds := guess_odds(p_number);
  END LOOP;
  UPDATE dial_in_number d SET slow_until = COALESCE((
    SELECT lately.guessed_at + interval '1 day' FROM (SELECT l.guessed_at, sum(l.guess_odds) OVER (ORDER BY l.guessed_at DESC) AS since FROM leg l WHERE l.number = p_number AND l.guessed_at > now() - interval '1 day') AS lately
    WHERE lately.since > GREATEST(0, 0.0005 - tries_for_pin(false) * v_number.max_unadmitted * v_odds) ORDER BY lately.guessed_at DESC LIMIT 1), d.slow_until) WHERE d.e164 = p_number;
  RETURN true;
END $$;

-- How a caller may be asked in slow mode: known | slow (as a stranger) | busy. p_strangers and p_known are being asked now. A caller id can be forged, so
-- even those of people who were let in within 30 days have a bound: five wrong PINs a day each, a quarter of the thousandth together; past it they are strangers.
-- The strangers' quarter is dealt out evenly, for a quarter of an hour at a time or for as long as it takes to have one guess.
CREATE FUNCTION guard_slowly(p_number dial_in_number, p_remote text, p_strangers bigint, p_known bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_odds double precision := guess_odds(p_number.e164);
  v_a_day double precision;
  v_at_once double precision;
BEGIN
  IF v_odds = 0 THEN RETURN 'slow'; END IF;
  IF EXISTS (SELECT FROM leg a WHERE a.kind = 'inbound' AND a.remote = p_remote AND a.last_outcome = 'admitted' AND a.created_at > now() - interval '30 days')
    AND (SELECT count(*) FROM leg l WHERE l.kind = 'inbound' AND l.remote = p_remote AND l.created_at > now() - interval '1 day' AND l.known AND l.guess_odds > 0) < 5
    AND (SELECT COALESCE(sum(l.guess_odds), 0) FROM leg l WHERE l.number = p_number.e164 AND l.guessed_at > now() - interval '1 day' AND l.known) + (p_known + 1) * v_odds <= 0.00025
  THEN RETURN 'known'; END IF;
  -- One guess a day at the least, whatever it may cost: nobody is locked out.
  v_a_day := GREATEST(1, floor(0.00025 / v_odds));
  v_at_once := GREATEST(1, floor(v_a_day / 96));
  -- Half of the lines are left to those who are known.
  IF p_strangers >= GREATEST(1, p_number.max_unadmitted / 2) OR p_strangers + (
    SELECT count(*) FROM leg l WHERE l.number = p_number.e164 AND l.guessed_at > now() - make_interval(secs => ceil(86400 / floor(v_a_day / v_at_once))) AND l.slow AND NOT l.known) >= v_at_once
  THEN RETURN 'busy'; END IF;
  RETURN 'slow';
END $$;

-- May a call that has no leg yet be asked for a PIN? ask | slow, known: yes, in slow mode (see guard_slowly) | busy: too many are being asked | later: its caller
-- keyed only wrong PINs lately, and each such call doubles the wait before the next, from 15 seconds to an hour. The caps are exact: whoever finds room for one more
-- looks again under a lock; those for whom there is none need not wait for it.
CREATE FUNCTION guard_caller(p_number dial_in_number, p_remote text, p_call text) RETURNS text LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_slow boolean := p_number.slow_until IS NOT NULL AND p_number.slow_until > now();
  v_guard text;
  v_wrong int;
  v_last timestamptz;
  v_asked record;
BEGIN
  IF NOT p_number.guarded OR EXISTS (SELECT FROM leg l WHERE l.voice_call_id = p_call) THEN RETURN 'ask'; END IF;
  IF p_remote IS NOT NULL THEN
    -- A caller id that is withheld is many people's, and none of them waits for another's mistakes.
    SELECT count(*), max(COALESCE(l.ended_at, l.owed_at)) INTO v_wrong, v_last FROM leg l
    WHERE l.kind = 'inbound' AND l.remote = p_remote AND l.last_outcome IN ('wrong-pin', 'refused') AND l.state IN ('ending', 'ended')
      AND l.created_at > GREATEST(now() - interval '1 day', COALESCE((SELECT a.created_at FROM leg a WHERE a.kind = 'inbound' AND a.remote = p_remote AND a.last_outcome = 'admitted' ORDER BY a.created_at DESC LIMIT 1), '-infinity'));
    IF v_wrong > 0 AND v_last + LEAST(interval '1 hour', interval '15 seconds' * 2 ^ LEAST(v_wrong - 1, 10)) > now() THEN RETURN 'later'; END IF;
  END IF;
  FOR v_look IN 1..2 LOOP
    SELECT count(*) AS callers, count(*) FILTER (WHERE l.remote IS NOT DISTINCT FROM p_remote) AS of_this_one, count(*) FILTER (WHERE l.slow AND NOT l.known) AS strangers, count(*) FILTER (WHERE l.known) AS known,
      COALESCE(sum(tries_for_pin(l.slow) - l.tries), 0) AS tries
    INTO v_asked FROM leg l WHERE l.kind = 'inbound' AND l.session_id IS NULL AND l.state NOT IN ('ending', 'ended') AND l.number = p_number.e164;
    IF v_asked.callers >= p_number.max_unadmitted OR v_asked.of_this_one >= 2 THEN RETURN 'busy'; END IF;
    IF v_look = 2 THEN v_slow := slow_down(p_number.e164, v_asked.tries); END IF;
    v_guard := CASE WHEN v_slow THEN guard_slowly(p_number, p_remote, v_asked.strangers, v_asked.known) ELSE 'ask' END;
    IF v_guard = 'busy' THEN RETURN v_guard; END IF;
    IF v_look = 1 THEN PERFORM pg_advisory_xact_lock(hashtextextended('callers of ' || p_number.e164, 0)); END IF;
  END LOOP;
  RETURN v_guard;
END $$;

-- The webhooks run them as the platform (see the migration `isolation`); the rest run as whoever asks.
GRANT CREATE ON SCHEMA public TO partyline_platform;
DO $$
DECLARE
  v_function regprocedure;
BEGIN
  FOR v_function IN SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname IN ('guard_caller', 'guard_slowly', 'guess_odds', 'slow_down') LOOP
    EXECUTE format('ALTER FUNCTION %s OWNER TO partyline_platform', v_function);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_function);
  END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM partyline_platform;
