-- The cost, by reestimate, of records that have no amount in a currency: records from before the tenant's
-- currency changed.
--
-- p_room  only this room's records; null: the tenant's records of this month
--
-- Equal records are priced once, because there may be many.
CREATE OR REPLACE FUNCTION estimate_other_currencies(p_tenant text, p_room text, p_currency text) RETURNS bigint
LANGUAGE plpgsql STABLE SET enable_seqscan = off
AS $$
BEGIN
  RETURN (
    SELECT COALESCE(
      sum(o.records * (o.seconds * rate_per_minute(o.direction, o.handle, o.rated, p_currency) / 60)),
      0
    )
    FROM (
      SELECT
        c.direction,
        c.handle,
        CASE c.direction
          WHEN 'outbound' THEN (SELECT l.remote FROM leg l WHERE l.id = c.leg_id)
          ELSE c.number
        END AS rated,
        c.seconds,
        count(*) AS records
      FROM (
        SELECT *
        FROM cdr m
        WHERE p_room IS NULL AND m.tenant_id = p_tenant AND m.ended_at >= this_month()
        UNION ALL
        SELECT *
        FROM cdr r
        WHERE r.room_id = p_room AND r.tenant_id = p_tenant
      ) AS c
      WHERE c.currency <> p_currency AND c.tenant_currency IS DISTINCT FROM p_currency
      GROUP BY 1, 2, 3, 4
    ) AS o
  );
END $$;
