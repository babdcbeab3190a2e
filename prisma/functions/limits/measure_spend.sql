-- How much of each of its limits a tenant and a room have used, what is running included, and what one more leg needs to begin with. No rows where there is
-- no limit. Scopes: tenant-spend (millionths, this month), tenant-minutes (seconds, this month), room-spend (millionths, ever). Of what is over the sums are kept (see the
-- migration `sums_of_records`).
CREATE OR REPLACE FUNCTION measure_spend(p_tenant text, p_room text, p_direction text, p_number text)
 RETURNS TABLE(scope text, used bigint, allowed bigint, one_more bigint, currency text)
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
AS $$
DECLARE
  v_tenant tenant;
  v_room_limit bigint;
  v_one_more bigint;
BEGIN
  IF NOT has_spend_limit(p_tenant, p_room) THEN RETURN; END IF;
  SELECT t.* INTO v_tenant FROM tenant t WHERE t.id = p_tenant;
  SELECT r.max_spend_micro INTO v_room_limit FROM room r WHERE r.id = p_room AND r.tenant_id = p_tenant;
  v_one_more := rate_per_minute(p_direction, CASE p_direction WHEN 'webrtc' THEN 'media' ELSE 'voice' END, p_number, v_tenant.currency);
  RETURN QUERY WITH running AS MATERIALIZED (SELECT * FROM running_cost(p_tenant)),
    month AS MATERIALIZED (SELECT * FROM month_spent(p_tenant, v_tenant.currency))
    SELECT 'tenant-spend', (month.micro + (SELECT COALESCE(sum(r.micro), 0) FROM running r))::bigint, v_tenant.max_spend_micro_per_month, v_one_more, v_tenant.currency
      FROM month WHERE v_tenant.max_spend_micro_per_month IS NOT NULL
    UNION ALL
    SELECT 'tenant-minutes', (month.seconds + (SELECT COALESCE(sum(r.seconds), 0) FROM running r))::bigint, v_tenant.max_minutes_per_month * 60::bigint, 60::bigint, v_tenant.currency
      FROM month WHERE v_tenant.max_minutes_per_month IS NOT NULL
    UNION ALL
    SELECT 'room-spend', room_spent(p_tenant, p_room, v_tenant.currency) + (SELECT COALESCE(sum(r.micro), 0) FROM running r WHERE r.room_id = p_room)::bigint, v_room_limit, v_one_more, v_tenant.currency
      WHERE v_room_limit IS NOT NULL;
END $$
;
