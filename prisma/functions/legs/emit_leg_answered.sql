-- Emits the event leg.answered in the transaction that moved the leg, under the session's next sequence
-- number, and marks the session as due to be settled. The caller of this function has locked the session
-- and written the leg. libs/conference/src/sessions/change-session.ts does the same for other changes.
CREATE OR REPLACE FUNCTION emit_leg_answered(p_leg text, p_session text) RETURNS void
LANGUAGE sql
AS $$
  WITH changed AS (
    UPDATE session s
    SET settle_due_at = now(), version = s.version + 1, last_seq = s.last_seq + 1
    WHERE s.id = p_session
    RETURNING s.*
  ),
  emitted AS (
    INSERT INTO outbox (tenant_id, room_id, session_id, seq, type, data, created_at)
    SELECT
      c.tenant_id, c.room_id, c.id, c.last_seq, 'leg.answered',
      describe_event(
        c.room_id,
        jsonb_build_object('legId', l.id, 'kind', l.kind, 'participantId', l.participant_id)
      ),
      clock_timestamp()
    FROM changed c
    JOIN leg l ON l.id = p_leg
    RETURNING id, tenant_id, session_id, seq, type
  )
  INSERT INTO delivery (id, tenant_id, endpoint_id, event_id, stream, seq, next_try_at)
  SELECT
    'dlv_' || translate(rtrim(encode(uuid_send(gen_random_uuid()), 'base64'), '='), '+/', '-_'),
    t.tenant_id, e.id, t.id, t.session_id, t.seq, date_trunc('milliseconds', now())
  FROM emitted t
  JOIN endpoint e
    ON e.tenant_id = t.tenant_id
    AND e.enabled
    AND e.deleted_at IS NULL
    AND (e.types = '{}' OR t.type = ANY (e.types))
$$;

REVOKE ALL ON FUNCTION emit_leg_answered(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION emit_leg_answered(text, text) TO partyline_platform;
