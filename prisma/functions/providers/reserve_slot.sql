-- Reserves the next slot in a lane of a provider account, for one of the shares (tenants) of that lane.
--
-- p_interval        the interval between slots
-- p_max_share_wait  no slot when the last slot of the share is further away than this, so that the
--                   requests of one tenant delay another tenant by no more
-- p_max_wait        no slot when the next slot of the lane is further away than this
-- p_spread_retries  each retry time is given to one request, at most 15 seconds away
-- wait_ms           time until the reserved slot; null: none was reserved
-- retry_after_ms    time until a retry, when no slot was reserved
-- Locks: the row of the lane, then the row of the share.
CREATE OR REPLACE FUNCTION reserve_slot(
  p_account text,
  p_lane text,
  p_share text,
  p_interval interval,
  p_max_share_wait interval,
  p_max_wait interval,
  p_spread_retries boolean,
  OUT wait_ms double precision,
  OUT retry_after_ms double precision
)
LANGUAGE plpgsql
AS $$
DECLARE
  v_lane_next timestamptz;
  v_share provider_rate_limit;
  v_now timestamptz;
  v_at timestamptz;
BEGIN
  INSERT INTO provider_rate_limit (account, lane, share, next_slot_at)
  SELECT p_account, p_lane, s, date_trunc('milliseconds', clock_timestamp())
  FROM unnest(ARRAY['', p_share]) AS s
  ON CONFLICT DO NOTHING;

  SELECT p.next_slot_at
  INTO v_lane_next
  FROM provider_rate_limit p
  WHERE p.account = p_account AND p.lane = p_lane AND p.share = ''
  FOR UPDATE;
  SELECT p.*
  INTO v_share
  FROM provider_rate_limit p
  WHERE p.account = p_account AND p.lane = p_lane AND p.share = p_share
  FOR UPDATE;

  v_now := date_trunc('milliseconds', clock_timestamp());
  v_at := greatest(v_lane_next, v_now);
  IF v_share.next_slot_at <= v_now + p_max_share_wait AND v_at <= v_now + p_max_wait THEN
    UPDATE provider_rate_limit p
    SET next_slot_at = v_at + p_interval
    WHERE p.account = p_account AND p.lane = p_lane AND p.share IN ('', p_share);
    wait_ms := extract(epoch FROM v_at - v_now) * 1000;
    RETURN;
  END IF;

  v_at := greatest(
    v_share.next_slot_at - p_max_share_wait,
    v_lane_next - p_max_wait,
    v_now,
    CASE WHEN p_spread_retries THEN v_share.next_retry_at END
  ) + p_interval;
  IF p_spread_retries THEN
    -- Bounded, because some requests are never retried.
    v_at := least(v_at, v_now + interval '15 seconds');
    UPDATE provider_rate_limit p
    SET next_retry_at = v_at
    WHERE p.account = p_account AND p.lane = p_lane AND p.share = p_share;
  END IF;
  retry_after_ms := extract(epoch FROM v_at - v_now) * 1000;
END $$;

REVOKE ALL ON FUNCTION reserve_slot(text, text, text, interval, interval, interval, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reserve_slot(text, text, text, interval, interval, interval, boolean) TO partyline_platform;
