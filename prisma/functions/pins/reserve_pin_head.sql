-- Whether a PIN of p_digits digits may be added to a number: no PIN of another length on it, of any tenant,
-- live or in quarantine, has the same first six digits. So no PIN is the beginning of another, and a
-- caller who pauses within a PIN does not join the room of a shorter one.
--
-- p_head  keyed HMAC of the first six digits
-- Lock: the head on the number, until the end of the transaction. False when another transaction holds
-- it: the caller of this function draws another PIN, so that no two transactions wait for each other.
CREATE OR REPLACE FUNCTION reserve_pin_head(p_number text, p_head bytea, p_digits int) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('pins of ' || p_number || ' ' || encode(p_head, 'hex'), 0)) THEN
    RETURN false;
  END IF;
  -- A second statement sees the PINs that were committed before the lock was taken.
  RETURN NOT EXISTS (
    SELECT
    FROM pin p
    WHERE p.number = p_number AND p.head = p_head AND p.digits IS DISTINCT FROM p_digits
  );
END $$;

ALTER FUNCTION reserve_pin_head(text, bytea, int) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION reserve_pin_head(text, bytea, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reserve_pin_head(text, bytea, int) TO partyline_tenant;
