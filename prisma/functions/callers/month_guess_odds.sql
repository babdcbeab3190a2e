-- The odds that one of the wrong PINs of a number within the last 30 days was right. Counts whole days
-- (UTC): at least 30 days, at most 31.
CREATE OR REPLACE FUNCTION month_guess_odds(p_number text) RETURNS double precision
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN (
    SELECT COALESCE(sum(g.odds), 0)
    FROM pin_guess_day g
    WHERE g.number = p_number AND g.day >= (now() AT TIME ZONE 'UTC')::date - 30
  );
END $$;

ALTER FUNCTION month_guess_odds(text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION month_guess_odds(text) FROM PUBLIC;
