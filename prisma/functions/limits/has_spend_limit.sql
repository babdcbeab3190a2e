-- Whether the tenant or the room has a limit of money or minutes.
CREATE OR REPLACE FUNCTION has_spend_limit(p_tenant text, p_room text) RETURNS boolean
LANGUAGE sql STABLE
AS $$
  SELECT EXISTS (
      SELECT
      FROM tenant t
      WHERE t.id = p_tenant AND (t.max_spend_micro_per_month IS NOT NULL OR t.max_minutes_per_month IS NOT NULL)
    )
    OR EXISTS (
      SELECT
      FROM room r
      WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.max_spend_micro IS NOT NULL
    )
$$;
