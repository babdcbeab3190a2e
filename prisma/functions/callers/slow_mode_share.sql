-- The odds that the wrong PINs of strangers, and those of known callers, may add up to within 24 hours of slow
-- mode: a quarter of the budget of 24 hours each. Once the wrong PINs of the number, and those that its
-- callers may still key, exceed half of the budget of 30 days: a sixtieth of the other half each.
--
-- p_odds  the odds of one guess
CREATE OR REPLACE FUNCTION slow_mode_share(p_number dial_in_number, p_odds double precision) RETURNS double precision
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN CASE
    WHEN month_guess_odds(p_number.e164) + p_number.max_unadmitted * max_pin_attempts(false) * p_odds > 0.0025
      THEN 0.0025 / 60
    ELSE 0.00025
  END;
END $$;

ALTER FUNCTION slow_mode_share(dial_in_number, double precision) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION slow_mode_share(dial_in_number, double precision) FROM PUBLIC;
