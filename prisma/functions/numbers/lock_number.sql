-- Keeps a number as it is until this transaction ends, for a room that is being made on it; no row when the tenant may not use it. As the platform, since to lock a row
-- one must be allowed to change it. The weakest lock that stands in the way of the operator's FOR UPDATE: rooms, and slow mode, are not held up by each other.
CREATE OR REPLACE FUNCTION lock_number(p_tenant text, p_number text)
 RETURNS TABLE(dedicated boolean, account_id text)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $$
  SELECT d.dedicated_to IS NOT NULL, d.account_id FROM dial_in_number d WHERE d.e164 = p_number AND (d.dedicated_to IS NULL OR d.dedicated_to = p_tenant) FOR KEY SHARE
$$
;
ALTER FUNCTION lock_number(text,text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION lock_number(text,text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lock_number(text,text) TO partyline_tenant;
