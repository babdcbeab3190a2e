-- Whether a person on the telephone must wait for a host.
CREATE OR REPLACE FUNCTION waits_for_host(p_room room, p_session text, p_role text) RETURNS boolean
LANGUAGE sql STABLE
AS $$
  SELECT p_room.wait_for_host
    AND p_role <> 'host'
    AND NOT EXISTS (
      SELECT
      FROM leg l
      WHERE l.session_id = p_session AND l.role = 'host' AND l.state IN ('answered', 'joined')
    )
$$;

ALTER FUNCTION waits_for_host(room, text, text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION waits_for_host(room, text, text) FROM PUBLIC;
