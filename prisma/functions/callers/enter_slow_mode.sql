-- Is a number in slow mode, or must it be from now on? p_tries is what those who are being asked have left. It lasts until so much of what was keyed is a day old
-- that there is room again for as many as may be asked at once. To be asked under the lock of the number's callers.
CREATE OR REPLACE FUNCTION enter_slow_mode(p_number text, p_tries bigint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $$
DECLARE
  v_number dial_in_number;
  v_spent double precision;
  v_odds double precision := 1e-5;
BEGIN
  SELECT d.* INTO v_number FROM dial_in_number d WHERE d.e164 = p_number;
  IF v_number.slow_until > now() THEN RETURN true; END IF;
  SELECT COALESCE(sum(l.pin_guess_odds), 0) INTO v_spent FROM leg l WHERE l.number = p_number AND l.last_wrong_pin_at > now() - interval '1 day';
  FOR v_look IN 1..2 LOOP
    IF v_spent + (p_tries + max_pin_attempts(false)) * v_odds <= 0.0005 THEN RETURN false; END IF;
    -- PINs are only counted when it is near: no number's odds are worse than one in 100,000, by the rule that says how long a PIN must be (libs/domain/src/pin.ts).
    v_odds := pin_guess_odds(p_number);
  END LOOP;
  UPDATE dial_in_number d SET slow_until = COALESCE((
    SELECT lately.last_wrong_pin_at + interval '1 day' FROM (SELECT l.last_wrong_pin_at, sum(l.pin_guess_odds) OVER (ORDER BY l.last_wrong_pin_at DESC) AS since FROM leg l WHERE l.number = p_number AND l.last_wrong_pin_at > now() - interval '1 day') AS lately
    WHERE lately.since > GREATEST(0, 0.0005 - max_pin_attempts(false) * v_number.max_unadmitted * v_odds) ORDER BY lately.last_wrong_pin_at DESC LIMIT 1), d.slow_until) WHERE d.e164 = p_number;
  RETURN true;
END $$
;
ALTER FUNCTION enter_slow_mode(text,bigint) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION enter_slow_mode(text,bigint) FROM PUBLIC;
