-- How many live PINs a number has, of all tenants; it decides the length of the next PIN. Counts to 7,000
-- only: from there on PINs have the maximum length (libs/domain/src/pin.ts). Counting a million took
-- 0.2 s for each new room.
CREATE OR REPLACE FUNCTION count_pins(p_number text) RETURNS int
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
  SELECT count(*)::int
  FROM (
    SELECT
    FROM pin
    WHERE number = p_number AND quarantined_until IS NULL
    LIMIT 7000
  ) AS counted
$$;

ALTER FUNCTION count_pins(text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION count_pins(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_pins(text) TO partyline_tenant;
