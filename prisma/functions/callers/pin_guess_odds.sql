-- The odds that one guess at the PINs of a number is right, for the PIN length with the best odds: live
-- PINs / possible PINs. There are 10 * 9^(d-1) PINs of d digits, because adjacent digits differ. 0 for a
-- number without live PINs or without a guard.
CREATE OR REPLACE FUNCTION pin_guess_odds(p_number text) RETURNS double precision
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN (
    SELECT COALESCE(max(n / (10 * 9::double precision ^ (digits - 1))), 0)
    FROM (
      SELECT COALESCE(p.digits, 6) AS digits, count(*) AS n
      FROM pin p
      JOIN dial_in_number d ON d.e164 = p.number AND d.guarded
      WHERE p.number = p_number AND p.quarantined_until IS NULL
      GROUP BY 1
    ) AS lengths
  );
END $$;

ALTER FUNCTION pin_guess_odds(text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION pin_guess_odds(text) FROM PUBLIC;
