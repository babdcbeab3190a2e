-- Puts a number into slow mode when its wrong PINs require it; returns whether it is in slow mode.
-- The calling function holds the lock of the number's callers.
--
-- p_tries  the attempts that the callers who are being asked have left
--
-- Invariant I20 (docs/guarantee.md): the odds of all wrong PINs of a number within any 24 hours add up to
-- at most 0.001. Half of that is for normal operation. When it is used up, slow mode begins, with a quarter
-- for strangers and a quarter for known callers. A caller is asked for a PIN only if their attempts, and
-- those that the other callers have left, still fit; so a right PIN is never rejected. Slow mode lasts
-- until enough wrong PINs are a day old that the maximum number of callers fits again.
--
-- Within any 30 days they add up to at most 0.005, in the same way: half is for normal operation and for
-- slow mode with full shares; when it is used up, slow mode with smaller shares begins (slow_mode_share).
-- It lasts until the next day (UTC), when a day's wrong PINs may leave the sum.
CREATE OR REPLACE FUNCTION enter_slow_mode(p_number text, p_tries bigint) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
  v_number dial_in_number;
  v_spent double precision;
  v_month double precision := month_guess_odds(p_number);
  v_odds double precision := 1e-5;
BEGIN
  SELECT d.* INTO v_number FROM dial_in_number d WHERE d.e164 = p_number;
  IF v_number.slow_until > now() THEN
    RETURN true;
  END IF;

  SELECT COALESCE(sum(l.pin_guess_odds), 0)
  INTO v_spent
  FROM leg l
  WHERE l.number = p_number
    AND l.account_id IS NOT DISTINCT FROM v_number.account_id
    AND l.last_wrong_pin_at > now() - interval '1 day';
  -- The first check uses the worst odds that a number can have (libs/domain/src/pin.ts); the PINs are
  -- counted only when it fails.
  FOR v_check IN 1..2 LOOP
    IF v_spent + (p_tries + max_pin_attempts(false)) * v_odds <= 0.0005
      AND v_month + (p_tries + max_pin_attempts(false)) * v_odds <= 0.0025 THEN
      RETURN false;
    END IF;
    v_odds := pin_guess_odds(p_number);
  END LOOP;

  IF v_month + (p_tries + max_pin_attempts(false)) * v_odds > 0.0025 THEN
    UPDATE dial_in_number d
    SET slow_until = (date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day') AT TIME ZONE 'UTC'
    WHERE d.e164 = p_number;
    RETURN true;
  END IF;

  UPDATE dial_in_number d
  SET slow_until = COALESCE(
    (
      SELECT recent.last_wrong_pin_at + interval '1 day'
      FROM (
        SELECT
          l.last_wrong_pin_at,
          sum(l.pin_guess_odds) OVER (ORDER BY l.last_wrong_pin_at DESC) AS odds_since
        FROM leg l
        WHERE l.number = p_number
          AND l.account_id IS NOT DISTINCT FROM v_number.account_id
          AND l.last_wrong_pin_at > now() - interval '1 day'
      ) AS recent
      WHERE recent.odds_since > GREATEST(0, 0.0005 - max_pin_attempts(false) * v_number.max_unadmitted * v_odds)
      ORDER BY recent.last_wrong_pin_at DESC
      LIMIT 1
    ),
    d.slow_until
  )
  WHERE d.e164 = p_number;
  RETURN true;
END $$;

ALTER FUNCTION enter_slow_mode(text, bigint) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION enter_slow_mode(text, bigint) FROM PUBLIC;
