-- Returns a tenant's limit and its use now. The limit is the tenant's own, or the platform's default.
--
-- p_limit  live-rooms | live-legs | dial-outs (in the last minute)
CREATE OR REPLACE FUNCTION read_limit(p_tenant text, p_limit text) RETURNS TABLE (allowed int, used int)
LANGUAGE plpgsql STABLE SET enable_seqscan = off
AS $$
BEGIN
  CASE p_limit
    WHEN 'live-rooms' THEN
      SELECT COALESCE(t.max_live_rooms, p.max_live_rooms)
      INTO allowed
      FROM platform_limit p
      LEFT JOIN tenant t ON t.id = p_tenant;
      SELECT count(*)
      INTO used
      FROM room r
      WHERE r.tenant_id = p_tenant AND r.state = 'active';
    WHEN 'live-legs' THEN
      SELECT COALESCE(t.max_live_legs, p.max_live_legs)
      INTO allowed
      FROM platform_limit p
      LEFT JOIN tenant t ON t.id = p_tenant;
      SELECT count(*)
      INTO used
      FROM leg l
      WHERE l.tenant_id = p_tenant AND l.session_id IS NOT NULL AND l.state <> 'ended' AND l.kind <> 'bridge';
    WHEN 'dial-outs' THEN
      SELECT COALESCE(t.max_dial_outs_per_minute, p.max_dial_outs_per_minute)
      INTO allowed
      FROM platform_limit p
      LEFT JOIN tenant t ON t.id = p_tenant;
      SELECT count(*)
      INTO used
      FROM leg l
      WHERE l.tenant_id = p_tenant AND l.kind = 'outbound' AND l.created_at > clock_timestamp() - interval '1 minute';
  END CASE;
  RETURN NEXT;
END $$;
