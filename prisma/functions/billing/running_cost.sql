-- Returns the cost of each handle of each running leg until now, in the tenant's currency. The first
-- minute counts from the start, so that concurrent legs cannot each use the last of the budget.
--
-- p_tenant  null: all tenants that have a limit
CREATE OR REPLACE FUNCTION running_cost(p_tenant text)
RETURNS TABLE (tenant_id text, room_id text, session_id text, seconds bigint, micro bigint)
LANGUAGE sql STABLE
AS $$
  SELECT
    l.tenant_id, s.room_id, l.session_id, u.seconds,
    u.seconds * rate_per_minute(
      l.kind, h.handle, CASE l.kind WHEN 'outbound' THEN l.remote ELSE l.number END, t.currency
    ) / 60
  FROM leg l
  JOIN session s ON s.id = l.session_id
  JOIN tenant t ON t.id = l.tenant_id
  JOIN room r ON r.id = s.room_id
  CROSS JOIN LATERAL (
    SELECT unnest(
      CASE l.kind
        WHEN 'bridge' THEN ARRAY['voice', 'media']
        WHEN 'webrtc' THEN ARRAY['media']
        ELSE ARRAY['voice']
      END
    ) AS handle
  ) AS h
  CROSS JOIN LATERAL (
    SELECT greatest(
      60, ceil(extract(epoch FROM clock_timestamp() - COALESCE(l.answered_at, clock_timestamp())))
    )::bigint AS seconds
  ) AS u
  WHERE l.state <> 'ended'
    AND l.session_id IS NOT NULL
    AND CASE h.handle WHEN 'voice' THEN l.voice_closed_at IS NULL ELSE l.media_closed_at IS NULL END
    AND (
      l.tenant_id = p_tenant
      OR (
        p_tenant IS NULL
        AND (
          t.max_spend_micro_per_month IS NOT NULL
          OR t.max_minutes_per_month IS NOT NULL
          OR r.max_spend_micro IS NOT NULL
        )
      )
    )
$$;
