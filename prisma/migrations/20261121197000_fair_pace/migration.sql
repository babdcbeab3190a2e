-- AlterTable
ALTER TABLE "provider_pace" DROP CONSTRAINT "provider_pace_pkey",
ADD COLUMN     "again_at" TIMESTAMPTZ(3),
ADD COLUMN     "share" TEXT NOT NULL DEFAULT '',
ADD CONSTRAINT "provider_pace_pkey" PRIMARY KEY ("account", "lane", "share");

-- The next place of a line (libs/store/src/database/rate-limit.ts), for one of those who share it. One that has its last place further off than p_share_within gets none now, so
-- that what many want of one keeps nobody else back for longer than that; nor does anybody when the next place is further off than p_within.
-- Who gets none is told when to come again. With p_again these times are a line of their own, so that the many come one by one; never longer than
-- 15 s off, since some of them may not come. The whole line's row is locked first, then the share's.
CREATE FUNCTION take_place(p_account text, p_lane text, p_share text, p_every interval, p_share_within interval, p_within interval, p_again boolean, OUT wait_ms float8, OUT again_ms float8)
LANGUAGE plpgsql AS $$
DECLARE
  v_line timestamptz;
  v_share provider_pace;
  v_now timestamptz;
  v_at timestamptz;
BEGIN
  INSERT INTO provider_pace (account, lane, share, free_at) SELECT p_account, p_lane, s, date_trunc('milliseconds', clock_timestamp()) FROM unnest(ARRAY['', p_share]) AS s ON CONFLICT DO NOTHING;
  SELECT p.free_at INTO v_line FROM provider_pace p WHERE p.account = p_account AND p.lane = p_lane AND p.share = '' FOR UPDATE;
  SELECT p.* INTO v_share FROM provider_pace p WHERE p.account = p_account AND p.lane = p_lane AND p.share = p_share FOR UPDATE;
  v_now := date_trunc('milliseconds', clock_timestamp());
  v_at := greatest(v_line, v_now);
  IF v_share.free_at <= v_now + p_share_within AND v_at <= v_now + p_within THEN
    UPDATE provider_pace p SET free_at = v_at + p_every WHERE p.account = p_account AND p.lane = p_lane AND p.share IN ('', p_share);
    wait_ms := extract(epoch FROM v_at - v_now) * 1000;
    RETURN;
  END IF;
  v_at := greatest(v_share.free_at - p_share_within, v_line - p_within, v_now, CASE WHEN p_again THEN v_share.again_at END) + p_every;
  IF p_again THEN
    v_at := least(v_at, v_now + interval '15 seconds');
    UPDATE provider_pace p SET again_at = v_at WHERE p.account = p_account AND p.lane = p_lane AND p.share = p_share;
  END IF;
  again_ms := extract(epoch FROM v_at - v_now) * 1000;
END
$$;
REVOKE ALL ON FUNCTION take_place(text, text, text, interval, interval, interval, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION take_place(text, text, text, interval, interval, interval, boolean) TO partyline_platform;
