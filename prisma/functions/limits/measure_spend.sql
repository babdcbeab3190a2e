-- Returns the use of each limit of a tenant and a room, running legs included. No row for a limit that is
-- not set.
--
-- scope         tenant-spend (millionths, this month) | tenant-minutes (seconds, this month) |
--               room-spend (millionths, in all)
-- first_minute  what one more leg needs, in the unit of the scope
-- Ended legs come from month_sum and room_sum (maintain_sums).
CREATE OR REPLACE FUNCTION measure_spend(p_tenant text, p_room text, p_direction text, p_number text)
RETURNS TABLE (scope text, used bigint, allowed bigint, first_minute bigint, currency text)
LANGUAGE plpgsql STABLE SET enable_seqscan = off
AS $$
DECLARE
  v_tenant tenant;
  v_room_limit bigint;
  v_first_minute bigint;
BEGIN
  IF NOT has_spend_limit(p_tenant, p_room) THEN
    RETURN;
  END IF;
  SELECT t.* INTO v_tenant FROM tenant t WHERE t.id = p_tenant;
  SELECT r.max_spend_micro INTO v_room_limit FROM room r WHERE r.id = p_room AND r.tenant_id = p_tenant;
  v_first_minute := rate_per_minute(
    p_direction, CASE p_direction WHEN 'webrtc' THEN 'media' ELSE 'voice' END, p_number, v_tenant.currency
  );
  RETURN QUERY
    WITH running AS MATERIALIZED (
      SELECT * FROM running_cost(p_tenant)
    ),
    month AS MATERIALIZED (
      SELECT * FROM month_spent(p_tenant, v_tenant.currency)
    )
    SELECT
      'tenant-spend',
      (month.micro + (SELECT COALESCE(sum(r.micro), 0) FROM running r))::bigint,
      v_tenant.max_spend_micro_per_month, v_first_minute, v_tenant.currency
    FROM month
    WHERE v_tenant.max_spend_micro_per_month IS NOT NULL
    UNION ALL
    SELECT
      'tenant-minutes',
      (month.seconds + (SELECT COALESCE(sum(r.seconds), 0) FROM running r))::bigint,
      v_tenant.max_minutes_per_month * 60::bigint, 60::bigint, v_tenant.currency
    FROM month
    WHERE v_tenant.max_minutes_per_month IS NOT NULL
    UNION ALL
    SELECT
      'room-spend',
      room_spent(p_tenant, p_room, v_tenant.currency)
        + (SELECT COALESCE(sum(r.micro), 0) FROM running r WHERE r.room_id = p_room)::bigint,
      v_room_limit, v_first_minute, v_tenant.currency
    WHERE v_room_limit IS NOT NULL;
END $$;
