/*
 * Calls that are simulated in the database with the SQL functions of the webhooks, thousands in a
 * statement.
 */

const LINES = 10;

/**
 * Replaces the clock of `answer_caller`, `admit_caller` and the functions they call by the setting
 * `played.now`.
 */
export const PLAYED_CLOCK = `
CREATE SCHEMA played;
GRANT USAGE ON SCHEMA played TO PUBLIC;
CREATE FUNCTION played.now() RETURNS timestamptz
LANGUAGE sql STABLE AS $$ SELECT current_setting('played.now')::timestamptz $$;
CREATE FUNCTION played.pass(p_s double precision) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('played.now', (played.now() + make_interval(secs => p_s))::text, false);
END $$;
SELECT set_config('played.now', '2030-01-01Z', false);
CREATE FUNCTION played.stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.created_at := played.now();
  RETURN NEW;
END $$;
CREATE TRIGGER stamp BEFORE INSERT ON leg FOR EACH ROW WHEN (NEW.state = 'ringing') EXECUTE FUNCTION played.stamp();
DO $$
DECLARE
  v_function regprocedure;
BEGIN
  FOR v_function IN
    SELECT oid::regprocedure
    FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND proname IN ('answer_caller', 'admit_caller')
  LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = played, pg_catalog, public, pg_temp', v_function);
  END LOOP;
END $$;

-- Every wrong PIN with its time.
CREATE TABLE played.guess (number text, at timestamptz, slow boolean, known boolean);
CREATE SEQUENCE played.webhook;
CREATE FUNCTION played.answer(p_number text, p_remote text, p_call text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  RETURN (
    SELECT a.outcome
    FROM answer_caller(
      'j' || nextval('played.webhook'), 'infinity', p_call, p_call, p_number, p_remote,
      'ses' || p_call, 'conv' || p_call, 'part' || p_call, NULL
    ) AS a
  );
END $$;
CREATE FUNCTION played.key(p_call text, p_lookup bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_leg leg;
  v_outcome text;
BEGIN
  SELECT l.* INTO v_leg FROM leg l WHERE l.id = p_call;
  SELECT a.outcome INTO v_outcome
  FROM admit_caller(
    'j' || nextval('played.webhook'), 'infinity', p_call, p_call, v_leg.tries + 1,
    CASE WHEN p_lookup IS NOT NULL THEN ARRAY[p_lookup] END,
    'ses' || p_call, 'conv' || p_call, 'part' || p_call, NULL
  ) AS a;
  IF p_lookup = '\\x00' THEN
    IF v_outcome NOT IN ('wrong-pin', 'refused') THEN
      RAISE 'unexpected outcome % for a wrong PIN', v_outcome;
    END IF;
    INSERT INTO played.guess VALUES (v_leg.number, played.now(), v_leg.slow, v_leg.known);
  END IF;
  RETURN v_outcome;
END $$;
CREATE FUNCTION played.hang_up(p_calls text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE leg SET state = 'ended', ended_at = played.now() WHERE id = ANY (p_calls);
END $$;
-- Keys wrong PINs in each call until it is over. Returns their number.
CREATE FUNCTION played.guess_in(p_calls text[]) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  v_tried int := 0;
  v_call text;
BEGIN
  FOREACH v_call IN ARRAY p_calls LOOP
    LOOP
      v_tried := v_tried + 1;
      EXIT WHEN played.key(v_call, '\\x00') = 'refused';
    END LOOP;
  END LOOP;
  PERFORM played.hang_up(p_calls);
  RETURN v_tried;
END $$;
`;

/** Attackers who guess as fast as they can. */
export const ATTACK = `
-- Makes calls p_first to p_end, ten at a time, each 25 seconds long, from p_caller_ids caller ids.
CREATE FUNCTION play_guesses(p_number text, p_first int, p_end int, p_caller_ids int) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  v_tried int := 0;
  v_asked text[];
BEGIN
  IF p_first = 0 THEN PERFORM set_config('played.now', '2030-01-01Z', false); END IF;
  WHILE p_first < p_end LOOP
    v_asked := '{}';
    FOR v_call IN p_first..LEAST(p_first + ${LINES}, p_end) - 1 LOOP
      IF played.answer(p_number, '+4479' || lpad((v_call % p_caller_ids)::text, 8, '0'), 'a' || v_call) LIKE 'ask%' THEN
        v_asked := v_asked || ('a' || v_call);
      END IF;
    END LOOP;
    v_tried := v_tried + played.guess_in(v_asked);
    PERFORM played.pass(25);
    p_first := p_first + ${LINES};
  END LOOP;
  RETURN jsonb_build_object('tried', v_tried);
END $$;

-- Attacks from second p_from to p_until, from 100 million unknown and 1,000 known caller ids. Rejected
-- callers try again in the next round, which begins after p_round_s seconds or later.
CREATE FUNCTION play_day(p_number text, p_from int, p_until int, p_round_s int) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_start timestamptz := timestamptz '2030-01-01Z' + make_interval(secs => p_from);
  v_end timestamptz := timestamptz '2030-01-01Z' + make_interval(secs => p_until);
  v_asked text[];
  v_slow boolean;
  v_ids int;
  v_n bigint;
  v_outcome text;
BEGIN
  IF p_from = 0 THEN TRUNCATE played.guess; END IF;
  IF p_from = 0 OR played.now() < v_start THEN
    PERFORM set_config('played.now', v_start::text, false);
  END IF;
  WHILE played.now() < v_end LOOP
    v_asked := '{}';
    v_slow := false;
    FOREACH v_ids IN ARRAY ARRAY[100000000, 1000] LOOP
      FOR v_line IN 1..${LINES} LOOP
        v_n := nextval('played.webhook');
        v_outcome := played.answer(
          p_number, CASE v_ids WHEN 1000 THEN '+4477' ELSE '+4479' END || lpad((v_n % v_ids)::text, 8, '0'), 'h' || v_n
        );
        EXIT WHEN v_outcome = 'busy';
        IF v_outcome LIKE 'ask%' THEN v_asked := v_asked || ('h' || v_n); END IF;
        v_slow := v_slow OR v_outcome = 'ask-slowly';
      END LOOP;
    END LOOP;
    PERFORM played.guess_in(v_asked);
    PERFORM played.pass(GREATEST(p_round_s, CASE WHEN v_slow THEN 35 WHEN v_asked = '{}' THEN 120 ELSE 25 END));
  END LOOP;
  RETURN '{}';
END $$;

-- The 24 hours of a number with the most wrong PINs.
CREATE FUNCTION worst_day(p_number text) RETURNS TABLE (all_of_them int, fast int, strangers int, known int)
LANGUAGE sql AS $$
  SELECT a, f, s, k
  FROM (
    SELECT count(*) OVER day AS a,
      count(*) FILTER (WHERE NOT g.slow) OVER day AS f,
      count(*) FILTER (WHERE g.slow AND NOT g.known) OVER day AS s,
      count(*) FILTER (WHERE g.known) OVER day AS k
    FROM played.guess g
    WHERE g.number = p_number
    WINDOW day AS (ORDER BY g.at RANGE BETWEEN interval '86399.999 seconds' PRECEDING AND CURRENT ROW)
  ) AS days
  ORDER BY a DESC
  LIMIT 1
$$;

-- The most wrong PINs of a number within 30 days.
CREATE FUNCTION worst_month(p_number text) RETURNS int LANGUAGE sql AS $$
  SELECT max(n)::int
  FROM (
    SELECT count(*) OVER (ORDER BY g.at RANGE BETWEEN interval '2591999.999 seconds' PRECEDING AND CURRENT ROW) AS n
    FROM played.guess g
    WHERE g.number = p_number
  ) AS months
$$;

-- In slow mode: how many unknown callers may key a wrong PIN before the next one is rejected, and for how
-- many seconds (within six).
CREATE FUNCTION play_strangers(p_number text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_at_once int := 0;
  v_wait_s int := 0;
  v_call text;
BEGIN
  PERFORM set_config('played.now', '2030-01-01Z', false);
  UPDATE dial_in_number SET slow_until = '2040-01-01Z' WHERE e164 = p_number;
  LOOP
    v_call := 's' || nextval('played.webhook');
    EXIT WHEN
      played.answer(p_number, '+4479' || lpad(currval('played.webhook')::text, 8, '0'), v_call) <> 'ask-slowly';
    PERFORM played.guess_in(ARRAY[v_call]);
    v_at_once := v_at_once + 1;
  END LOOP;
  LOOP
    PERFORM played.pass(6);
    v_wait_s := v_wait_s + 6;
    EXIT WHEN played.answer(
      p_number, '+4479' || lpad(nextval('played.webhook')::text, 8, '0'), 's' || currval('played.webhook')
    ) = 'ask-slowly';
  END LOOP;
  RETURN jsonb_build_object('atOnce', v_at_once, 'waitS', v_wait_s);
END $$;
`;

/** A script of callers of any kind, in any order. */
export const SCRIPT = `
CREATE FUNCTION play_script(p_number text, p_run int, p_steps jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_step jsonb;
  v_open text[] := '{}';
  v_refused int := 0;
  v_waited int := 0;
  v_month double precision;
  v_call text;
  v_outcome text;
BEGIN
  PERFORM set_config('played.now', '2030-01-01Z', false);
  FOR v_step IN SELECT each FROM jsonb_array_elements(p_steps) AS each LOOP
    CASE v_step ->> 'do'
      WHEN 'pass' THEN PERFORM played.pass((v_step ->> 's')::int);
      WHEN 'storm' THEN
        FOR v_round IN 1..(v_step ->> 'rounds')::int LOOP
          v_open := v_open || played.dial(p_number, p_run, v_step ->> 'who', ${LINES});
          PERFORM played.guess_in(v_open);
          v_open := '{}';
          PERFORM played.pass((v_step ->> 's')::int);
        END LOOP;
      WHEN 'call' THEN
        v_open := v_open || played.dial(p_number, p_run, v_step ->> 'who', (v_step ->> 'n')::int);
      ELSE
        FOREACH v_call IN ARRAY v_open[1:(v_step ->> 'n')::int] LOOP
          v_outcome := CASE v_step ->> 'do'
            WHEN 'wrong' THEN played.key(v_call, '\\x00')
            WHEN 'no-pin' THEN played.key(v_call, NULL)
            WHEN 'right' THEN played.key(v_call, '\\x01')
          END;
          IF v_step ->> 'do' = 'right' AND v_outcome <> 'admitted' THEN
            v_refused := v_refused + 1;
          END IF;
          IF v_outcome IS DISTINCT FROM 'wrong-pin' THEN
            PERFORM played.hang_up(ARRAY[v_call]);
            v_open := array_remove(v_open, v_call);
          END IF;
        END LOOP;
    END CASE;
  END LOOP;
  PERFORM played.hang_up(v_open);
  SELECT sum(g.odds)
  INTO v_month
  FROM pin_guess_day g
  WHERE g.number = p_number AND g.day >= (played.now() AT TIME ZONE 'UTC')::date - 30;
  WHILE cardinality(played.dial(p_number, p_run, 'stranger', 1)) = 0 LOOP
    PERFORM played.pass(10);
    v_waited := v_waited + 10;
  END LOOP;
  RETURN jsonb_build_object(
    'most', COALESCE((SELECT all_of_them FROM worst_day(p_number)), 0), 'refused', v_refused, 'waited', v_waited,
    'month', COALESCE(v_month, 0)
  );
END $$;

-- Makes p_n calls and returns those that are asked for a PIN. The regular callers are ten caller ids that
-- call again and again.
CREATE FUNCTION played.dial(p_number text, p_run int, p_who text, p_n int) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
  v_asked text[] := '{}';
  v_call text;
BEGIN
  FOR v_line IN 1..p_n LOOP
    v_call := 'r' || nextval('played.webhook');
    IF played.answer(
      p_number,
      CASE p_who
        WHEN 'stranger' THEN '+4479' || lpad(currval('played.webhook')::text, 8, '0')
        WHEN 'regular' THEN '+4477' || lpad((p_run * 10 + v_line % 10)::text, 8, '0')
      END,
      v_call
    ) LIKE 'ask%' THEN
      v_asked := v_asked || v_call;
    END IF;
  END LOOP;
  RETURN v_asked;
END $$;
`;
