-- Seats a caller, whose leg is locked, in a room's session (opened when there is none), or says why not: one place for all who come by telephone.
-- p_person is the roster entry of whose PIN it was; null: one is made. Outcomes: admitted | full | at-limit | spent | not-open | over, and no-room when it has just
-- ended, which changes nothing. `waits`: they are held until a host is in.
CREATE OR REPLACE FUNCTION admit_to_session(p_leg leg, p_room text, p_role text, p_person text, p_session text, p_conversation text, p_participant text)
 RETURNS TABLE(outcome text, tenant_id text, session_id text, conversation text, waits boolean)
 LANGUAGE plpgsql
AS $$
DECLARE
  v_room room;
  v_session session;
  v_refusal text;
BEGIN
  -- A suspended tenant's room is no room: its PIN is wrong, as any other.
  SELECT r.* INTO v_room FROM room r JOIN tenant t ON t.id = r.tenant_id AND t.suspended_at IS NULL WHERE r.id = p_room AND r.state = 'active';
  IF v_room.starts_at > now() THEN v_refusal := 'not-open'; ELSIF v_room.ends_at <= now() THEN v_refusal := 'over'; END IF;

  IF v_room.id IS NOT NULL AND v_refusal IS NULL THEN
    LOOP
      SELECT * INTO v_session FROM session s WHERE s.room_id = v_room.id AND s.state IN ('open', 'live') FOR NO KEY UPDATE;
      EXIT WHEN FOUND;
      -- The room's last session is over, and this caller opens the next, unless the room ended, or its tenant was suspended, while we waited for the session.
      SELECT r.* INTO v_room FROM room r JOIN tenant t ON t.id = r.tenant_id AND t.suspended_at IS NULL WHERE r.id = v_room.id AND r.state = 'active' FOR SHARE OF r;
      EXIT WHEN NOT FOUND;
      -- Two at once: the index lets one in, the other waits and finds it. Its clocks are settled as soon as the caller is in.
      INSERT INTO session (id, tenant_id, room_id, state, conversation, due_at, due_reason, account_id)
      VALUES (p_session, v_room.tenant_id, v_room.id, 'open', p_conversation, now() + make_interval(secs => v_room.max_duration_s), 'max-duration',
        (SELECT d.account_id FROM dial_in_number d WHERE d.e164 = v_room.number))
      ON CONFLICT DO NOTHING;
    END LOOP;
  END IF;
  -- A conference is at one account. That the number changed its account between the ringing and the PIN leaves the caller at one that the session is not at.
  IF v_room.id IS NULL OR (v_refusal IS NULL AND v_session.account_id IS DISTINCT FROM p_leg.account_id) THEN RETURN QUERY SELECT 'no-room', NULL::text, NULL::text, NULL::text, false; RETURN; END IF;

  IF v_refusal IS NULL AND (SELECT count(*) FROM leg l WHERE l.session_id = v_session.id AND l.state <> 'ended' AND l.kind <> 'bridge') >= v_room.max_participants THEN v_refusal := 'full'; END IF;
  -- For the money nobody waits in a line: whoever comes while the last of it is there comes in, and is let go with the others.
  IF v_refusal IS NULL AND EXISTS (SELECT FROM measure_spend(v_room.tenant_id, v_room.id, 'inbound', p_leg.number) AS m WHERE m.used + m.one_more > m.allowed) THEN v_refusal := 'spent'; END IF;
  -- Last, for it is held until this is committed, and everybody of the tenant waits for it. Alone, since many are seated in one transaction (libs/store/src/database/batcher.ts).
  IF v_refusal IS NULL AND (SELECT h.used >= h.allowed FROM lock_limit(v_room.tenant_id, 'live-legs', true) AS h) THEN v_refusal := 'at-limit'; END IF;
  IF v_refusal IS NOT NULL THEN
    -- Let go by the good-bye that is spoken now; hung up only if the call outlasts it.
    UPDATE leg l SET tries = l.tries + 1, version = l.version + 1, last_outcome = v_refusal, state = 'ending', hangup_requested_at = now(), hangup_reason = CASE v_refusal WHEN 'at-limit' THEN 'limit-live-legs' ELSE 'room-' || v_refusal END,
      deadline_at = now() + goodbye_time() WHERE l.id = p_leg.id;
    RETURN QUERY SELECT v_refusal, NULL::text, NULL::text, NULL::text, false; RETURN;
  END IF;

  IF p_person IS NULL THEN
    INSERT INTO participant (id, tenant_id, room_id, kind, name, role) VALUES (p_participant, v_room.tenant_id, v_room.id, 'caller', 'Caller', p_role);
  END IF;
  UPDATE leg l SET tries = l.tries + 1, version = l.version + 1, last_outcome = 'admitted', answered_at = COALESCE(l.answered_at, now()),
    state = CASE WHEN l.state IN ('requested', 'dialling', 'ringing') THEN 'answered' ELSE l.state END,
    tenant_id = v_room.tenant_id, session_id = v_session.id, participant_id = COALESCE(p_person, p_participant), role = p_role,
    deadline_at = LEAST(v_session.created_at + make_interval(secs => v_room.max_duration_s), v_room.ends_at)
  WHERE l.id = p_leg.id;
  -- Whatever was heard of the leg before, the tenant hears of it now for the first time.
  PERFORM mark_leg_answered(p_leg.id, v_session.id);
  RETURN QUERY SELECT 'admitted', v_room.tenant_id, v_session.id, v_session.conversation, waits_for_host(v_room, v_session.id, p_role);
END $$
;
ALTER FUNCTION admit_to_session(leg,text,text,text,text,text,text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION admit_to_session(leg,text,text,text,text,text,text) FROM PUBLIC;
