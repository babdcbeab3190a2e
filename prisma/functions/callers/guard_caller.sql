-- Whether a call that has no leg yet may be asked for a PIN.
--
-- result  ask
--         slow           in slow mode (guard_slow_mode), or the caller id keyed only wrong PINs lately:
--                        for 15 seconds after such a call, doubling with each, up to an hour
--         known          in slow mode (guard_slow_mode)
--         busy           too many callers are being asked: of the number, of the caller id, without a
--                        caller id, or of the strangers' share
-- A telephone system shows one caller id for many people. So wrong PINs slow its callers, but do not
-- reject them.
-- Only calls at the account of the number count, because a tenant can sign any content.
-- Locks: the callers of the number. The caps are exact: a call that passes is checked again under the
-- lock; a call that is rejected does not wait for it.
CREATE OR REPLACE FUNCTION guard_caller(p_number dial_in_number, p_remote text, p_call text) RETURNS text
LANGUAGE plpgsql SET enable_seqscan = off
AS $$
DECLARE
  v_is_delayed boolean := false;
  v_slow boolean := p_number.slow_until IS NOT NULL AND p_number.slow_until > now();
  v_guard text;
  -- Callers without a caller id share half of the number.
  v_max_of_caller_id int := CASE
    WHEN p_remote IS NULL THEN GREATEST(1, p_number.max_unadmitted / 2)
    ELSE p_number.max_per_caller_id
  END;
  v_wrong int;
  v_last timestamptz;
  v_asked record;
BEGIN
  IF NOT p_number.guarded OR EXISTS (SELECT FROM leg l WHERE l.voice_call_id = p_call) THEN
    RETURN 'ask';
  END IF;

  -- Many callers share a withheld caller id, so it is not delayed for wrong PINs.
  IF p_remote IS NOT NULL THEN
    SELECT count(*), max(COALESCE(l.ended_at, l.hangup_requested_at))
    INTO v_wrong, v_last
    FROM leg l
    WHERE l.kind = 'inbound'
      AND l.remote = p_remote
      AND COALESCE(l.account_id, '') = COALESCE(p_number.account_id, '')
      -- Neither silence nor digits that cannot be a PIN are a wrong PIN.
      AND l.last_wrong_pin_at IS NOT NULL
      AND l.last_outcome IN ('wrong-pin', 'refused', 'no-digits', 'silent')
      AND l.state IN ('ending', 'ended')
      AND l.created_at > GREATEST(
        now() - interval '1 day',
        COALESCE(
          (
            SELECT a.created_at
            FROM leg a
            WHERE a.kind = 'inbound'
              AND a.remote = p_remote
              AND COALESCE(a.account_id, '') = COALESCE(p_number.account_id, '')
              AND a.last_outcome = 'admitted'
            ORDER BY a.created_at DESC
            LIMIT 1
          ),
          '-infinity'
        )
      );
    v_is_delayed := v_wrong > 0
      AND v_last + LEAST(interval '1 hour', interval '15 seconds' * 2 ^ LEAST(v_wrong - 1, 10)) > now();
  END IF;

  FOR v_check IN 1..2 LOOP
    SELECT
      count(*) AS callers,
      count(*) FILTER (WHERE l.remote IS NOT DISTINCT FROM p_remote) AS of_this_caller_id,
      count(*) FILTER (WHERE l.slow AND NOT l.known) AS strangers,
      count(*) FILTER (WHERE l.known) AS known,
      COALESCE(sum(max_pin_attempts(l.slow) - l.tries), 0) AS tries
    INTO v_asked
    FROM leg l
    WHERE l.kind = 'inbound'
      AND l.session_id IS NULL
      AND l.state NOT IN ('ending', 'ended')
      AND l.number = p_number.e164
      AND l.account_id IS NOT DISTINCT FROM p_number.account_id;
    IF v_asked.callers >= p_number.max_unadmitted OR v_asked.of_this_caller_id >= v_max_of_caller_id THEN
      RETURN 'busy';
    END IF;
    IF v_check = 2 THEN
      v_slow := enter_slow_mode(p_number.e164, v_asked.tries);
    END IF;
    v_guard := CASE
      WHEN v_slow THEN guard_slow_mode(p_number, p_remote, v_asked.strangers, v_asked.known)
      WHEN v_is_delayed THEN 'slow'
      ELSE 'ask'
    END;
    IF v_guard = 'busy' THEN
      RETURN v_guard;
    END IF;
    IF v_check = 1 THEN
      PERFORM pg_advisory_xact_lock(hashtextextended('callers of ' || p_number.e164, 0));
    END IF;
  END LOOP;
  RETURN v_guard;
END $$;

ALTER FUNCTION guard_caller(dial_in_number, text, text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION guard_caller(dial_in_number, text, text) FROM PUBLIC;
