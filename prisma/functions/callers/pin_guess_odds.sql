-- The odds that one guess at a number's PINs is right, for the length at which they are best: PINs that are live / PINs that there can be (ten, then nine for
-- each further digit, since no two neighbours are equal). 0 without a live PIN, and where nobody is guarded against.
CREATE OR REPLACE FUNCTION pin_guess_odds(p_number text)
 RETURNS double precision
 LANGUAGE plpgsql
 STABLE
AS $$
BEGIN
  RETURN (SELECT COALESCE(max(n / (10 * 9::double precision ^ (digits - 1))), 0) FROM (
    SELECT COALESCE(p.digits, 6) AS digits, count(*) AS n FROM pin p JOIN dial_in_number d ON d.e164 = p.number AND d.guarded WHERE p.number = p_number AND p.quarantined_until IS NULL GROUP BY 1) AS lengths);
END $$
;
ALTER FUNCTION pin_guess_odds(text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION pin_guess_odds(text) FROM PUBLIC;
