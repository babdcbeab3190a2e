-- Counts the calls that wait to be placed through a provider account, with those of this transaction, and
-- keeps other transactions from adding one until it ends. Runs as partyline_platform, because tenants
-- share an account; it returns numbers only.
--
-- Counted are requested dial-outs, and bridges, which take slots of the same lane: those that are due,
-- also after a back-off, and those whose dial may still wait for its slot, for eight seconds at most
-- (libs/conference/src/providers/rate-limit-providers.ts).
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
    SELECT c.tenant_id, count(*)::int AS n
    FROM (
      SELECT l.tenant_id
      FROM leg l
      WHERE l.state = 'requested' AND l.kind = 'outbound' AND l.account_id IS NOT DISTINCT FROM p_account
      UNION ALL
      SELECT s.tenant_id
      FROM session s
      WHERE s.bridge_due_at IS NOT NULL AND s.account_id IS NOT DISTINCT FROM p_account
      UNION ALL
      SELECT l.tenant_id
      FROM leg l
      WHERE l.state = 'dialling' AND l.kind = 'bridge' AND l.media_connection_id IS NULL
        AND l.dialled_at > now() - interval '8 seconds' AND l.account_id IS NOT DISTINCT FROM p_account
    ) AS c
    GROUP BY c.tenant_id
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
