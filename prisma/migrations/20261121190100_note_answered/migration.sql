-- What the webhook functions (migration `webhook_functions`) do when somebody is there who was not: the tenant is told in the same transaction, under the
-- session's next number, as every other change is told (libs/conference/src/change-session.ts), and the session is owed its settling. The
-- session is locked, and the leg is written already.
CREATE FUNCTION note_answered(p_leg text, p_session text) RETURNS void LANGUAGE sql AS $$
  WITH told AS (UPDATE session s SET settle_owed_at = now(), version = s.version + 1, last_seq = s.last_seq + 1 WHERE s.id = p_session RETURNING s.*)
  INSERT INTO outbox (tenant_id, room_id, session_id, seq, type, data, created_at, next_try_at)
  SELECT t.tenant_id, t.room_id, t.id, t.last_seq, 'leg.answered', jsonb_build_object('legId', l.id, 'kind', l.kind, 'participantId', l.participant_id), clock_timestamp(),
    (SELECT date_trunc('milliseconds', now()) FROM tenant WHERE id = t.tenant_id AND events_url IS NOT NULL)
  FROM told t JOIN leg l ON l.id = p_leg
$$;
REVOKE ALL ON FUNCTION note_answered(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION note_answered(text, text) TO partyline_platform;
