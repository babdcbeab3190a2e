-- The same, and it stays true until this transaction ends: two that each see one place left cannot both take it. Whoever is near the limit finds out alone, when all others are
-- done. Far from it those who each add one do not wait for each other: as many as there are connections may do so at once and stay below it, and whoever comes near meanwhile
-- waits for them all (seen: a tenant's rooms, made one after the other at the pace of a disk). p_alone: for whoever may add more than one. A statement sees what was committed
-- before it began, and the lock is waited for first; hence a function that is not STABLE, whose statements look each for themselves.
CREATE OR REPLACE FUNCTION lock_limit(p_tenant text, p_limit text, p_alone boolean DEFAULT false)
 RETURNS TABLE(allowed integer, used integer)
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
    -- Near by now, and who has a lock with others cannot have it alone: two would wait for each other. The transaction is run again.
    IF used + v_connections > allowed THEN RAISE EXCEPTION 'the limit came near while it was waited for' USING ERRCODE = 'serialization_failure'; END IF;
  ELSE
    PERFORM pg_advisory_xact_lock(v_key);
    SELECT r.allowed, r.used INTO allowed, used FROM read_limit(p_tenant, p_limit) AS r;
  END IF;
  RETURN NEXT;
END $$
;
