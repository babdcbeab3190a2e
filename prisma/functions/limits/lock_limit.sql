-- Reads a limit like read_limit, and keeps the result valid until the end of the transaction.
--
-- p_alone  for a transaction that may add more than one
--
-- Locks: an advisory lock of the tenant and the limit. Far from the limit it is shared: as many
-- transactions as there are connections can each add one and stay below the limit. Near the limit it is
-- exclusive. (Measured with an exclusive lock alone: a tenant's rooms were created one by one.)
-- Not STABLE: each statement must see what was committed while the lock was waited for.
CREATE OR REPLACE FUNCTION lock_limit(p_tenant text, p_limit text, p_alone boolean DEFAULT false)
RETURNS TABLE (allowed int, used int)
LANGUAGE plpgsql
AS $$
DECLARE
  v_key bigint := hashtextextended(p_limit || ' ' || p_tenant, 0);
  v_connections int := current_setting('max_connections')::int;
BEGIN
  SELECT r.allowed, r.used INTO allowed, used FROM read_limit(p_tenant, p_limit) AS r;
  IF NOT p_alone AND used + 2 * v_connections <= allowed THEN
    PERFORM pg_advisory_xact_lock_shared(v_key);
    SELECT r.allowed, r.used INTO allowed, used FROM read_limit(p_tenant, p_limit) AS r;
    -- Near the limit by now. Two holders of the shared lock that upgrade it would deadlock, so the
    -- transaction runs again.
    IF used + v_connections > allowed THEN
      RAISE EXCEPTION 'the limit came near while the lock was waited for' USING ERRCODE = 'serialization_failure';
    END IF;
  ELSE
    PERFORM pg_advisory_xact_lock(v_key);
    SELECT r.allowed, r.used INTO allowed, used FROM read_limit(p_tenant, p_limit) AS r;
  END IF;
  RETURN NEXT;
END $$;
