-- Counts the outbound calls that wait to be placed through a provider account, with those of this
-- transaction, and keeps other transactions from adding one until it ends. Runs as partyline_platform,
-- because tenants share an account; it returns numbers only.
--
-- p_account  the provider account; null: the platform's
-- total      waiting calls of all tenants
-- ahead      calls that are placed until the tenant's last one is: the account's slots go to its tenants
--            in turn (reserve_slot), so each other tenant counts with at most as many as this one
-- Lock: advisory, per account. It comes after the locks of session and limits.
CREATE OR REPLACE FUNCTION queue_dial(p_tenant text, p_account text, OUT ahead int, OUT total int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('dials of ' || coalesce(p_account, 'platform'), 0));
  WITH waiting AS (
    SELECT l.tenant_id, count(*)::int AS n
    FROM leg l
    WHERE l.state = 'requested' AND l.kind = 'outbound' AND l.account_id IS NOT DISTINCT FROM p_account
    GROUP BY l.tenant_id
  ),
  own AS (
    SELECT coalesce(max(w.n), 0) AS n FROM waiting w WHERE w.tenant_id = p_tenant
  )
  SELECT coalesce(sum(least(w.n, own.n)), 0)::int, coalesce(sum(w.n), 0)::int
  INTO ahead, total
  FROM waiting w, own;
END $$;

ALTER FUNCTION queue_dial(text, text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION queue_dial(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION queue_dial(text, text) TO partyline_tenant;
