-- The next place of a line (libs/store/src/database/rate-limit.ts), for one of those who share it. One that has its last place further off than p_share_within gets none now, so
-- that what many want of one keeps nobody else back for longer than that; nor does anybody when the next place is further off than p_within.
-- Who gets none is told when to come again. With p_again these times are a line of their own, so that the many come one by one; never longer than
-- 15 s off, since some of them may not come. The whole line's row is locked first, then the share's.
CREATE OR REPLACE FUNCTION reserve_slot(p_account text, p_lane text, p_share text, p_every interval, p_share_within interval, p_within interval, p_again boolean, OUT wait_ms double precision, OUT retry_after_ms double precision)
 RETURNS record
 LANGUAGE plpgsql
AS $$
DECLARE
  v_line timestamptz;
  v_share provider_rate_limit;
  v_now timestamptz;
  v_at timestamptz;
BEGIN
  INSERT INTO provider_rate_limit (account, lane, share, next_slot_at) SELECT p_account, p_lane, s, date_trunc('milliseconds', clock_timestamp()) FROM unnest(ARRAY['', p_share]) AS s ON CONFLICT DO NOTHING;
  SELECT p.next_slot_at INTO v_line FROM provider_rate_limit p WHERE p.account = p_account AND p.lane = p_lane AND p.share = '' FOR UPDATE;
  SELECT p.* INTO v_share FROM provider_rate_limit p WHERE p.account = p_account AND p.lane = p_lane AND p.share = p_share FOR UPDATE;
  v_now := date_trunc('milliseconds', clock_timestamp());
  v_at := greatest(v_line, v_now);
  IF v_share.next_slot_at <= v_now + p_share_within AND v_at <= v_now + p_within THEN
    UPDATE provider_rate_limit p SET next_slot_at = v_at + p_every WHERE p.account = p_account AND p.lane = p_lane AND p.share IN ('', p_share);
    wait_ms := extract(epoch FROM v_at - v_now) * 1000;
    RETURN;
  END IF;
  v_at := greatest(v_share.next_slot_at - p_share_within, v_line - p_within, v_now, CASE WHEN p_again THEN v_share.next_retry_at END) + p_every;
  IF p_again THEN
    v_at := least(v_at, v_now + interval '15 seconds');
    UPDATE provider_rate_limit p SET next_retry_at = v_at WHERE p.account = p_account AND p.lane = p_lane AND p.share = p_share;
  END IF;
  retry_after_ms := extract(epoch FROM v_at - v_now) * 1000;
END
$$
;
REVOKE ALL ON FUNCTION reserve_slot(text,text,text,interval,interval,interval,boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reserve_slot(text,text,text,interval,interval,interval,boolean) TO partyline_platform;
