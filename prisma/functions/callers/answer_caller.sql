-- A caller dialled a number; on one that a room has for itself without a PIN, they are seated in it (see admit_to_session).
-- Outcomes: ask | ask-slowly | admitted | full | at-limit | spent | not-open | over | busy and later (see guard_caller; they make no leg) | unknown-number | let-go | replayed.
CREATE OR REPLACE FUNCTION answer_caller(p_jti text, p_jti_expires timestamp with time zone, p_leg text, p_call text, p_number text, p_remote text, p_session text, p_conversation text, p_participant text, p_account text)
 RETURNS TABLE(outcome text, leg_id text, language text, tenant_id text, session_id text, conversation text, waits boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET enable_seqscan TO 'off'
 SET search_path TO 'public', 'pg_temp'
AS $$
DECLARE
  v_leg leg;
  v_number dial_in_number;
  v_room room;
  v_seat record;
  v_guard text := 'ask';
BEGIN
  INSERT INTO webhook_jti (jti, expires_at) VALUES (p_jti, p_jti_expires) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN QUERY SELECT 'replayed', NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, false; RETURN; END IF;

  SELECT d.* INTO v_number FROM dial_in_number d WHERE d.e164 = p_number AND d.account_id IS NOT DISTINCT FROM p_account;
  IF NOT FOUND THEN RETURN QUERY SELECT 'unknown-number', NULL::text, 'en-US', NULL::text, NULL::text, NULL::text, false; RETURN; END IF;

  IF v_number.dedicated_to IS NOT NULL THEN
    SELECT r.* INTO v_room FROM room r JOIN tenant t ON t.id = r.tenant_id AND t.suspended_at IS NULL
    WHERE r.number = p_number AND r.tenant_id = v_number.dedicated_to AND r.state = 'active' AND r.pinless;
  END IF;
  IF v_room.id IS NULL THEN v_guard := guard_caller(v_number, p_remote, p_call); END IF;
  IF v_guard IN ('busy', 'later') THEN RETURN QUERY SELECT v_guard, NULL::text, v_number.language, NULL::text, NULL::text, NULL::text, false; RETURN; END IF;

  INSERT INTO leg (id, kind, state, number, remote, voice_call_id, slow, known, deadline_at, account_id)
  VALUES (p_leg, 'inbound', 'ringing', p_number, p_remote, p_call, v_guard <> 'ask', v_guard = 'known', now() + pin_entry_time(v_guard <> 'ask'), p_account)
  ON CONFLICT (voice_call_id) DO NOTHING;
  SELECT * INTO v_leg FROM leg l WHERE l.voice_call_id = p_call AND l.account_id IS NOT DISTINCT FROM p_account FOR NO KEY UPDATE;
  -- The call is another account's.
  IF NOT FOUND THEN RETURN QUERY SELECT 'unknown-number', NULL::text, v_number.language, NULL::text, NULL::text, NULL::text, false; RETURN; END IF;

  IF v_room.id IS NOT NULL AND v_leg.last_outcome IS NOT NULL THEN
    -- The same webhook again (its answer was lost): the same answer again, unless the call is to end by now.
    RETURN QUERY SELECT CASE WHEN v_leg.last_outcome = 'admitted' AND (v_leg.state IN ('ending', 'ended') OR s.state IS NULL OR s.state NOT IN ('open', 'live')) THEN 'hang-up' ELSE v_leg.last_outcome END,
      v_leg.id, v_number.language, v_leg.tenant_id, v_leg.session_id, s.conversation, waits_for_host(v_room, v_leg.session_id, v_leg.role)
    FROM (SELECT 1) AS this LEFT JOIN session s ON s.id = v_leg.session_id; RETURN;
  END IF;
  IF v_leg.state IN ('ending', 'ended') THEN
    RETURN QUERY SELECT 'hang-up', v_leg.id, v_number.language, NULL::text, NULL::text, NULL::text, false; RETURN;
  END IF;
  IF v_room.id IS NOT NULL AND v_leg.session_id IS NULL THEN
    SELECT * INTO v_seat FROM admit_to_session(v_leg, v_room.id, 'participant', NULL, p_session, p_conversation, p_participant);
    IF v_seat.outcome <> 'no-room' THEN
      RETURN QUERY SELECT v_seat.outcome, v_leg.id, v_number.language, v_seat.tenant_id, v_seat.session_id, v_seat.conversation, v_seat.waits; RETURN;
    END IF;
    -- It ended this moment. Nobody said that they may be asked for a PIN instead (see guard_caller).
    UPDATE leg l SET version = l.version + 1, last_outcome = 'over', state = 'ending', hangup_requested_at = now(), hangup_reason = 'room-over', deadline_at = now() + goodbye_time() WHERE l.id = v_leg.id;
    RETURN QUERY SELECT 'over', v_leg.id, v_number.language, NULL::text, NULL::text, NULL::text, false; RETURN;
  END IF;
  RETURN QUERY SELECT CASE WHEN v_leg.slow THEN 'ask-slowly' ELSE 'ask' END, v_leg.id, v_number.language, NULL::text, NULL::text, NULL::text, false;
END $$
;
ALTER FUNCTION answer_caller(text,timestamp with time zone,text,text,text,text,text,text,text,text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION answer_caller(text,timestamp with time zone,text,text,text,text,text,text,text,text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION answer_caller(text,timestamp with time zone,text,text,text,text,text,text,text,text) TO partyline_tenant;
