-- Returns when a session ends at the latest; null without a session.
CREATE OR REPLACE FUNCTION latest_end(p_session session, p_room room) RETURNS timestamptz
LANGUAGE sql STABLE
AS $$
  SELECT LEAST(p_session.created_at + make_interval(secs => p_room.max_duration_s), p_room.ends_at)
$$;

ALTER FUNCTION latest_end(session, room) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION latest_end(session, room) FROM PUBLIC;
