-- The carrier's webhooks that hold a caller on the line: the one place of their bodies until the first release; edit them here, in no other migration.
-- Each is one function, so that it costs one round trip; each takes the
-- webhook's token id and refuses the second use in the same transaction, and each gives a repeated request the answer of the first.

-- Without sequential scans: a plan that was made while a table was small is kept until the table is analysed, and by then each webhook would
-- read all of it (seen in the bench: 3.9 ms of Postgres a call instead of 0.2).

-- A caller dialled a number. Outcomes: ask | unknown-number | let-go | replayed.
CREATE FUNCTION answer_caller(p_jti text, p_jti_expires timestamptz, p_leg text, p_call text, p_number text, p_remote text, p_keying_s int)
RETURNS TABLE (outcome text, leg_id text, language text) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_leg leg;
  v_language text;
BEGIN
  INSERT INTO webhook_jti (jti, expires_at) VALUES (p_jti, p_jti_expires) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN QUERY SELECT 'replayed', NULL::text, NULL::text; RETURN; END IF;

  SELECT d.language INTO v_language FROM dial_in_number d WHERE d.e164 = p_number;
  IF NOT FOUND THEN RETURN QUERY SELECT 'unknown-number', NULL::text, 'en-US'; RETURN; END IF;

  INSERT INTO leg (id, kind, state, number, remote, voice_call_id, deadline_at)
  VALUES (p_leg, 'inbound', 'ringing', p_number, p_remote, p_call, now() + make_interval(secs => p_keying_s))
  ON CONFLICT (voice_call_id) DO NOTHING;
  SELECT * INTO v_leg FROM leg l WHERE l.voice_call_id = p_call;
  RETURN QUERY SELECT CASE WHEN v_leg.state IN ('ending', 'ended') THEN 'let-go' ELSE 'ask' END, v_leg.id, v_language;
END $$;

-- A caller keyed a PIN (p_lookup is its keyed HMAC, null when what was keyed cannot be one). p_try counts from 1 and says which prompt
-- this answers, so a repeat is told from a new try. Outcomes: admitted | wrong-pin | refused | full | let-go | unknown-call | replayed.
CREATE FUNCTION admit_caller(p_jti text, p_jti_expires timestamptz, p_leg text, p_call text, p_try int, p_max_tries int, p_lookup bytea,
                             p_session text, p_conversation text, p_participant text)
RETURNS TABLE (outcome text, language text, tries int, tenant_id text, session_id text, conversation text) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_leg leg;
  v_room room;
  v_session session;
  v_language text;
  v_outcome text;
BEGIN
  INSERT INTO webhook_jti (jti, expires_at) VALUES (p_jti, p_jti_expires) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN QUERY SELECT 'replayed', 'en-US', 0, NULL::text, NULL::text, NULL::text; RETURN; END IF;

  SELECT * INTO v_leg FROM leg l WHERE l.id = p_leg AND l.voice_call_id = p_call AND l.kind = 'inbound' FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN QUERY SELECT 'unknown-call', 'en-US', 0, NULL::text, NULL::text, NULL::text; RETURN; END IF;
  SELECT COALESCE((SELECT d.language FROM dial_in_number d WHERE d.e164 = v_leg.number), 'en-US') INTO v_language;

  IF p_try <= v_leg.tries THEN
    SELECT * INTO v_session FROM session s WHERE s.id = v_leg.session_id;
    -- The same webhook again (its answer was lost): the same answer again, unless the call is to end by now.
    v_outcome := CASE WHEN v_leg.last_outcome = 'admitted' AND (v_leg.state IN ('ending', 'ended') OR v_session.state NOT IN ('open', 'live')) THEN 'let-go' ELSE v_leg.last_outcome END;
    RETURN QUERY SELECT v_outcome, v_language, v_leg.tries, v_leg.tenant_id, v_leg.session_id, v_session.conversation; RETURN;
  END IF;
  IF v_leg.session_id IS NOT NULL OR v_leg.state IN ('ending', 'ended') THEN
    RETURN QUERY SELECT 'let-go', v_language, v_leg.tries, NULL::text, NULL::text, NULL::text; RETURN;
  END IF;

  -- The tenant comes from the PIN's row, never from the caller.
  SELECT r.* INTO v_room FROM pin p JOIN room r ON r.id = p.room_id
  WHERE p.number = v_leg.number AND p.lookup = p_lookup AND p.free_at IS NULL AND r.state = 'active';

  IF FOUND THEN
    LOOP
      SELECT * INTO v_session FROM session s WHERE s.room_id = v_room.id AND s.state IN ('open', 'live') FOR NO KEY UPDATE;
      EXIT WHEN FOUND;
      -- The room's last session is over, and this caller opens the next, unless the room ended while we waited for the session.
      SELECT r.* INTO v_room FROM room r WHERE r.id = v_room.id AND r.state = 'active' FOR SHARE;
      EXIT WHEN NOT FOUND;
      -- Two at once: the index lets one in, the other waits and finds it.
      INSERT INTO session (id, tenant_id, room_id, state, conversation, due_at, due_reason)
      VALUES (p_session, v_room.tenant_id, v_room.id, 'open', p_conversation, now() + make_interval(secs => v_room.max_duration_s), 'max-duration')
      ON CONFLICT DO NOTHING;
    END LOOP;
  END IF;

  IF v_room.id IS NULL THEN
    v_outcome := CASE WHEN v_leg.tries + 1 >= p_max_tries THEN 'refused' ELSE 'wrong-pin' END;
    UPDATE leg l SET tries = l.tries + 1, version = l.version + 1, last_outcome = v_outcome,
      state = CASE WHEN v_outcome = 'refused' THEN 'ending' WHEN l.state IN ('requested', 'dialling', 'ringing') THEN 'answered' ELSE l.state END,
      answered_at = COALESCE(l.answered_at, now()),
      owed_at = CASE WHEN v_outcome = 'refused' THEN now() END,
      owed_reason = CASE WHEN v_outcome = 'refused' THEN 'too-many-tries' END,
      -- Let go by the good-bye that is spoken now; hung up only if the call outlasts it.
      deadline_at = CASE WHEN v_outcome = 'refused' THEN now() + interval '15 seconds' ELSE l.deadline_at END
    WHERE l.id = p_leg;
    RETURN QUERY SELECT v_outcome, v_language, v_leg.tries + 1, NULL::text, NULL::text, NULL::text; RETURN;
  END IF;

  IF (SELECT count(*) FROM leg l WHERE l.session_id = v_session.id AND l.state <> 'ended' AND l.kind <> 'bridge') >= v_room.max_participants THEN
    UPDATE leg l SET tries = l.tries + 1, version = l.version + 1, last_outcome = 'full', state = 'ending', owed_at = now(), owed_reason = 'room-full',
      deadline_at = now() + interval '15 seconds' WHERE l.id = p_leg;
    RETURN QUERY SELECT 'full', v_language, v_leg.tries + 1, NULL::text, NULL::text, NULL::text; RETURN;
  END IF;

  INSERT INTO participant (id, tenant_id, room_id, kind, name) VALUES (p_participant, v_room.tenant_id, v_room.id, 'caller', 'Caller');
  UPDATE leg l SET tries = l.tries + 1, version = l.version + 1, last_outcome = 'admitted', answered_at = COALESCE(l.answered_at, now()),
    state = CASE WHEN l.state IN ('requested', 'dialling', 'ringing') THEN 'answered' ELSE l.state END,
    tenant_id = v_room.tenant_id, session_id = v_session.id, participant_id = p_participant,
    deadline_at = v_session.created_at + make_interval(secs => v_room.max_duration_s)
  WHERE l.id = p_leg;
  -- Whatever was heard of the leg before, the tenant hears of it now for the first time.
  PERFORM note_answered(p_leg, v_session.id);
  RETURN QUERY SELECT 'admitted', v_language, v_leg.tries + 1, v_room.tenant_id, v_session.id, v_session.conversation;
END $$;

-- A call that we made was picked up: the bridge (named by its one-time token) or somebody we rang (named by the leg id in the answer
-- URL). Outcomes: join | let-go | unknown-leg | replayed. The call's id is kept even when it is to be let go, for it must be seen closed.
CREATE FUNCTION answer_own_leg(p_jti text, p_jti_expires timestamptz, p_leg text, p_token_hash bytea, p_call text)
RETURNS TABLE (outcome text, tenant_id text, session_id text, conversation text, leg_id text, kind text) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_leg leg;
  v_session session;
BEGIN
  INSERT INTO webhook_jti (jti, expires_at) VALUES (p_jti, p_jti_expires) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN QUERY SELECT 'replayed', NULL::text, NULL::text, NULL::text, NULL::text, NULL::text; RETURN; END IF;

  -- Session before leg, as everywhere: one order of locks.
  SELECT s.* INTO v_session FROM leg l JOIN session s ON s.id = l.session_id
  WHERE (p_token_hash IS NOT NULL AND l.token_hash = p_token_hash AND l.kind = 'bridge') OR (p_token_hash IS NULL AND l.id = p_leg AND l.kind = 'outbound') FOR NO KEY UPDATE OF s;
  IF FOUND THEN
    SELECT l.* INTO v_leg FROM leg l
    WHERE (p_token_hash IS NOT NULL AND l.token_hash = p_token_hash AND l.kind = 'bridge') OR (p_token_hash IS NULL AND l.id = p_leg AND l.kind = 'outbound') FOR NO KEY UPDATE;
  END IF;
  -- A token is good for one call; another call that shows it is nobody of ours.
  IF v_leg.id IS NULL OR (v_leg.voice_call_id IS NOT NULL AND v_leg.voice_call_id <> p_call) THEN
    RETURN QUERY SELECT 'unknown-leg', NULL::text, NULL::text, NULL::text, NULL::text, NULL::text; RETURN;
  END IF;

  IF v_leg.state IN ('ending', 'ended') OR v_session.state NOT IN ('open', 'live') THEN
    -- Asked (again) at once: what was asked before could not name this call.
    UPDATE leg l SET voice_call_id = p_call, version = l.version + 1, asked_at = NULL WHERE l.id = v_leg.id AND l.voice_call_id IS NULL;
    RETURN QUERY SELECT 'let-go', v_leg.tenant_id, v_leg.session_id, NULL::text, v_leg.id, v_leg.kind; RETURN;
  END IF;

  UPDATE leg l SET voice_call_id = p_call, version = l.version + 1, answered_at = COALESCE(l.answered_at, now()),
    state = CASE WHEN l.state IN ('requested', 'dialling', 'ringing') THEN 'answered' ELSE l.state END
  WHERE l.id = v_leg.id;
  IF v_leg.state IN ('requested', 'dialling', 'ringing') THEN PERFORM note_answered(v_leg.id, v_session.id);
  ELSE UPDATE session s SET settle_owed_at = now(), version = s.version + 1 WHERE s.id = v_session.id; END IF;
  RETURN QUERY SELECT 'join', v_leg.tenant_id, v_leg.session_id, v_session.conversation, v_leg.id, v_leg.kind;
END $$;

-- They come before anybody knows whose call it is, and find out, for whoever may call them (see the migration `isolation`).
GRANT CREATE ON SCHEMA public TO partyline_platform;
DO $$
DECLARE
  v_function regprocedure;
BEGIN
  FOR v_function IN SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname IN ('answer_caller', 'admit_caller', 'answer_own_leg') LOOP
    EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = public, pg_temp', v_function);
    EXECUTE format('ALTER FUNCTION %s OWNER TO partyline_platform', v_function);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_function);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO partyline_tenant, partyline_platform', v_function);
  END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM partyline_platform;
