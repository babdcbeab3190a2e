-- How many live PINs a number holds, whoever's they are: it decides how long the next one must be. From 7,000 on it has the most digits
-- (libs/domain/src/pin.ts), so it counts no further: a million took 0.2 s, for every new room.
CREATE OR REPLACE FUNCTION count_pins(p_number text)
 RETURNS integer
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $$
  SELECT count(*)::int FROM (SELECT FROM pin WHERE number = p_number AND quarantined_until IS NULL LIMIT 7000) AS counted
$$
;
ALTER FUNCTION count_pins(text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION count_pins(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_pins(text) TO partyline_tenant;
