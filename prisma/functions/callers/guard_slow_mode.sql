-- Decides how a caller is asked for a PIN in slow mode: known | slow (as a stranger) | busy.
--
-- p_strangers, p_known  callers of either kind who are being asked now
--
-- A caller id can be forged. So callers admitted within the last 30 days at the account of the number
-- count as known only up to five wrong PINs a day each, and up to a share of the odds a day together
-- (slow_mode_share). The strangers' share, as large, is spread evenly: in periods of 15 minutes, or of the
-- time that one guess takes.
CREATE OR REPLACE FUNCTION guard_slow_mode(
  p_number dial_in_number,
  p_remote text,
  p_strangers bigint,
  p_known bigint
) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
  v_odds double precision := pin_guess_odds(p_number.e164);
  v_share double precision;
  v_guesses_per_day double precision;
  v_guesses_per_period double precision;
BEGIN
  IF v_odds = 0 THEN
    RETURN 'slow';
  END IF;
  v_share := slow_mode_share(p_number, v_odds);

  IF EXISTS (
      SELECT
      FROM leg a
      WHERE a.kind = 'inbound'
        AND a.remote = p_remote
        AND COALESCE(a.account_id, '') = COALESCE(p_number.account_id, '')
        AND a.last_outcome = 'admitted'
        AND a.created_at > now() - interval '30 days'
    )
    AND (
      SELECT count(*)
      FROM leg l
      WHERE l.kind = 'inbound'
        AND l.remote = p_remote
        AND COALESCE(l.account_id, '') = COALESCE(p_number.account_id, '')
        AND l.created_at > now() - interval '1 day'
        AND l.known
        AND l.pin_guess_odds > 0
    ) < 5
    AND (
      SELECT COALESCE(sum(l.pin_guess_odds), 0)
      FROM leg l
      WHERE l.number = p_number.e164
        AND l.account_id IS NOT DISTINCT FROM p_number.account_id
        AND l.last_wrong_pin_at > now() - interval '1 day'
        AND l.known
    ) + (p_known + 1) * v_odds <= v_share THEN
    RETURN 'known';
  END IF;

  -- At least one guess a day, whatever its odds, so that every number accepts strangers.
  v_guesses_per_day := GREATEST(1, floor(v_share / v_odds));
  v_guesses_per_period := GREATEST(1, floor(v_guesses_per_day / 96));
  -- Half of the concurrent callers of the number are reserved for known callers.
  IF p_strangers >= GREATEST(1, p_number.max_unadmitted / 2)
    OR p_strangers + (
      SELECT count(*)
      FROM leg l
      WHERE l.number = p_number.e164
        AND l.account_id IS NOT DISTINCT FROM p_number.account_id
        AND l.last_wrong_pin_at
          > now() - make_interval(secs => ceil(86400 / floor(v_guesses_per_day / v_guesses_per_period)))
        AND l.slow
        AND NOT l.known
    ) >= v_guesses_per_period THEN
    RETURN 'busy';
  END IF;
  RETURN 'slow';
END $$;

ALTER FUNCTION guard_slow_mode(dial_in_number, text, bigint, bigint) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION guard_slow_mode(dial_in_number, text, bigint, bigint) FROM PUBLIC;
