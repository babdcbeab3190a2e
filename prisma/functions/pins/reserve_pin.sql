-- Whether a PIN of p_digits digits may be added to a number: the number, of any tenant, live or in
-- quarantine, has neither this PIN nor one of another length with the same first six digits. So no PIN is
-- the beginning of another, and a caller who pauses within a PIN does not join the room of a shorter one.
--
-- p_lookups  keyed HMACs of the PIN, one for each PIN key
-- p_heads    keyed HMACs of the first six digits, one for each PIN key
-- Locks: the heads on the number, until the end of the transaction. False when another transaction holds
-- one of them: the caller of this function draws another PIN, so that no two transactions wait for each
-- other. While a key is replaced, processes write under different keys, but each of them knows the key
-- of the others: two transactions with the same PIN have a head in common.
CREATE OR REPLACE FUNCTION reserve_pin(p_number text, p_lookups bytea[], p_heads bytea[], p_digits int)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
  v_head bytea;
BEGIN
  FOREACH v_head IN ARRAY p_heads LOOP
    IF NOT pg_try_advisory_xact_lock(
      hashtextextended('pins of ' || p_number || ' ' || encode(v_head, 'hex'), 0)
    ) THEN
      RETURN false;
    END IF;
  END LOOP;
  -- A second statement sees the PINs that were committed before the locks were taken.
  RETURN NOT EXISTS (
      SELECT
      FROM pin p
      WHERE p.number = p_number AND p.head = ANY (p_heads) AND p.digits IS DISTINCT FROM p_digits
    )
    AND NOT EXISTS (SELECT FROM pin p WHERE p.number = p_number AND p.lookup = ANY (p_lookups));
END $$;

ALTER FUNCTION reserve_pin(text, bytea[], bytea[], int) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION reserve_pin(text, bytea[], bytea[], int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reserve_pin(text, bytea[], bytea[], int) TO partyline_tenant;
