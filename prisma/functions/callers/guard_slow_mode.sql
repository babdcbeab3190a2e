-- How a caller may be asked in slow mode: known | slow (as a stranger) | busy. p_strangers and p_known are being asked now. A caller id can be forged, so
-- even those of people who were let in within 30 days have a bound: five wrong PINs a day each, a quarter of the thousandth together; past it they are strangers.
-- The strangers' quarter is dealt out evenly, for a quarter of an hour at a time or for as long as it takes to have one guess.
CREATE OR REPLACE FUNCTION guard_slow_mode(p_number dial_in_number, p_remote text, p_strangers bigint, p_known bigint)
 RETURNS text
 LANGUAGE plpgsql
AS $$
DECLARE
  v_odds double precision := pin_guess_odds(p_number.e164);
  v_a_day double precision;
  v_at_once double precision;
BEGIN
  IF v_odds = 0 THEN RETURN 'slow'; END IF;
  IF EXISTS (SELECT FROM leg a WHERE a.kind = 'inbound' AND a.remote = p_remote AND a.last_outcome = 'admitted' AND a.created_at > now() - interval '30 days')
    AND (SELECT count(*) FROM leg l WHERE l.kind = 'inbound' AND l.remote = p_remote AND l.created_at > now() - interval '1 day' AND l.known AND l.pin_guess_odds > 0) < 5
    AND (SELECT COALESCE(sum(l.pin_guess_odds), 0) FROM leg l WHERE l.number = p_number.e164 AND l.last_wrong_pin_at > now() - interval '1 day' AND l.known) + (p_known + 1) * v_odds <= 0.00025
  THEN RETURN 'known'; END IF;
  -- One guess a day at the least, whatever it may cost: nobody is locked out.
  v_a_day := GREATEST(1, floor(0.00025 / v_odds));
  v_at_once := GREATEST(1, floor(v_a_day / 96));
  -- Half of the lines are left to those who are known.
  IF p_strangers >= GREATEST(1, p_number.max_unadmitted / 2) OR p_strangers + (
    SELECT count(*) FROM leg l WHERE l.number = p_number.e164 AND l.last_wrong_pin_at > now() - make_interval(secs => ceil(86400 / floor(v_a_day / v_at_once))) AND l.slow AND NOT l.known) >= v_at_once
  THEN RETURN 'busy'; END IF;
  RETURN 'slow';
END $$
;
ALTER FUNCTION guard_slow_mode(dial_in_number,text,bigint,bigint) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION guard_slow_mode(dial_in_number,text,bigint,bigint) FROM PUBLIC;
