-- Locks a number until the end of the transaction, for a room that is created on it. No row when the
-- tenant may not use the number. Runs as partyline_platform: a lock needs the right to update.
-- Lock: FOR KEY SHARE, the weakest that conflicts with the operator's FOR UPDATE; rooms and slow mode do
-- not wait for each other.
CREATE OR REPLACE FUNCTION lock_number(p_tenant text, p_number text) RETURNS TABLE (dedicated boolean, account_id text)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
  SELECT d.dedicated_to IS NOT NULL, d.account_id
  FROM dial_in_number d
  WHERE d.e164 = p_number AND (d.dedicated_to IS NULL OR d.dedicated_to = p_tenant)
  FOR KEY SHARE
$$;

ALTER FUNCTION lock_number(text, text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION lock_number(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lock_number(text, text) TO partyline_tenant;
