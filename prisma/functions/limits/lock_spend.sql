-- Measures like measure_spend. Other transactions that decide about the tenant's money wait until this
-- one ends.
-- Locks: an advisory lock of the tenant's spend; none where there is no limit.
CREATE OR REPLACE FUNCTION lock_spend(p_tenant text, p_room text, p_direction text, p_number text)
RETURNS TABLE (scope text, used bigint, allowed bigint, first_minute bigint, currency text)
LANGUAGE plpgsql
AS $$
BEGIN
  IF NOT has_spend_limit(p_tenant, p_room) THEN
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('spend ' || p_tenant, 0));
  RETURN QUERY SELECT * FROM measure_spend(p_tenant, p_room, p_direction, p_number);
END $$;
