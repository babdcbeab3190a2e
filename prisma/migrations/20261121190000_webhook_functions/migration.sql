-- The carrier's webhooks that hold a caller on the line: the one place of their bodies until the first release; edit them here, in no other migration.
-- Each is one function, so that it costs one round trip; each takes the
-- webhook's token id and refuses the second use in the same transaction, and each gives a repeated request the answer of the first.

-- Without sequential scans: a plan that was made while a table was small is kept until the table is analysed, and by then each webhook would
-- read all of it (seen in the bench: 3.9 ms of Postgres a call instead of 0.2).

-- p_account is the account whose secret signed the webhook, null: the platform's. A tenant signs for its own account as it likes, so what is at any other
-- (or at the platform's) is not there for it, whatever number, call or leg it names; and the other way round.

-- Seats a caller, whose leg is locked, in a room's session (opened when there is none), or says why not: one place for all who come by telephone.
-- p_person is the roster entry of whose PIN it was; null: one is made. Outcomes: admitted | full | at-limit | spent | not-open | over, and no-room when it has just
-- ended, which changes nothing. `waits`: they are held until a host is in.
CREATE FUNCTION seat_caller(p_leg leg, p_room text, p_role text, p_person text, p_session text, p_conversation text, p_participant text)
RETURNS TABLE (outcome text, tenant_id text, session_id text, conversation text, waits boolean) LANGUAGE plpgsql AS $$
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
  IF v_refusal IS NULL AND (SELECT h.used >= h.allowed FROM hold_limit(v_room.tenant_id, 'live-legs', true) AS h) THEN v_refusal := 'at-limit'; END IF;
  IF v_refusal IS NOT NULL THEN
    -- Let go by the good-bye that is spoken now; hung up only if the call outlasts it.
    UPDATE leg l SET tries = l.tries + 1, version = l.version + 1, last_outcome = v_refusal, state = 'ending', owed_at = now(), owed_reason = CASE v_refusal WHEN 'at-limit' THEN 'limit-live-legs' ELSE 'room-' || v_refusal END,
      deadline_at = now() + time_for_good_bye() WHERE l.id = p_leg.id;
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
  PERFORM note_answered(p_leg.id, v_session.id);
  RETURN QUERY SELECT 'admitted', v_room.tenant_id, v_session.id, v_session.conversation, is_held(v_room, v_session.id, p_role);
END $$;

-- Is somebody on the telephone held until a host is in?
CREATE FUNCTION is_held(p_room room, p_session text, p_role text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT p_room.wait_for_host AND p_role <> 'host' AND NOT EXISTS (SELECT FROM leg l WHERE l.session_id = p_session AND l.role = 'host' AND l.state IN ('answered', 'joined'))
$$;

-- A caller dialled a number; on one that a room has for itself without a PIN, they are seated in it (see seat_caller).
-- Outcomes: ask | ask-slowly | admitted | full | at-limit | spent | not-open | over | busy and later (see guard_caller; they make no leg) | unknown-number | let-go | replayed.
CREATE FUNCTION answer_caller(p_jti text, p_jti_expires timestamptz, p_leg text, p_call text, p_number text, p_remote text,
                              p_session text, p_conversation text, p_participant text, p_account text)
RETURNS TABLE (outcome text, leg_id text, language text, tenant_id text, session_id text, conversation text, waits boolean) LANGUAGE plpgsql SET enable_seqscan = off AS $$
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
  VALUES (p_leg, 'inbound', 'ringing', p_number, p_remote, p_call, v_guard <> 'ask', v_guard = 'known', now() + time_to_key(v_guard <> 'ask'), p_account)
  ON CONFLICT (voice_call_id) DO NOTHING;
  SELECT * INTO v_leg FROM leg l WHERE l.voice_call_id = p_call AND l.account_id IS NOT DISTINCT FROM p_account FOR NO KEY UPDATE;
  -- The call is another account's.
  IF NOT FOUND THEN RETURN QUERY SELECT 'unknown-number', NULL::text, v_number.language, NULL::text, NULL::text, NULL::text, false; RETURN; END IF;

  IF v_room.id IS NOT NULL AND v_leg.last_outcome IS NOT NULL THEN
    -- The same webhook again (its answer was lost): the same answer again, unless the call is to end by now.
    RETURN QUERY SELECT CASE WHEN v_leg.last_outcome = 'admitted' AND (v_leg.state IN ('ending', 'ended') OR s.state IS NULL OR s.state NOT IN ('open', 'live')) THEN 'let-go' ELSE v_leg.last_outcome END,
      v_leg.id, v_number.language, v_leg.tenant_id, v_leg.session_id, s.conversation, is_held(v_room, v_leg.session_id, v_leg.role)
    FROM (SELECT 1) AS this LEFT JOIN session s ON s.id = v_leg.session_id; RETURN;
  END IF;
  IF v_leg.state IN ('ending', 'ended') THEN
    RETURN QUERY SELECT 'let-go', v_leg.id, v_number.language, NULL::text, NULL::text, NULL::text, false; RETURN;
  END IF;
  IF v_room.id IS NOT NULL AND v_leg.session_id IS NULL THEN
    SELECT * INTO v_seat FROM seat_caller(v_leg, v_room.id, 'participant', NULL, p_session, p_conversation, p_participant);
    IF v_seat.outcome <> 'no-room' THEN
      RETURN QUERY SELECT v_seat.outcome, v_leg.id, v_number.language, v_seat.tenant_id, v_seat.session_id, v_seat.conversation, v_seat.waits; RETURN;
    END IF;
    -- It ended this moment. Nobody said that they may be asked for a PIN instead (see guard_caller).
    UPDATE leg l SET version = l.version + 1, last_outcome = 'over', state = 'ending', owed_at = now(), owed_reason = 'room-over', deadline_at = now() + time_for_good_bye() WHERE l.id = v_leg.id;
    RETURN QUERY SELECT 'over', v_leg.id, v_number.language, NULL::text, NULL::text, NULL::text, false; RETURN;
  END IF;
  RETURN QUERY SELECT CASE WHEN v_leg.slow THEN 'ask-slowly' ELSE 'ask' END, v_leg.id, v_number.language, NULL::text, NULL::text, NULL::text, false;
END $$;

-- A caller keyed a PIN (p_lookup is its keyed HMAC, null when what was keyed cannot be one). p_try counts from 1 and says which prompt
-- this answers, so a repeat is told from a new try. Outcomes: admitted | full | at-limit | spent | not-open | over (see seat_caller) | wrong-pin | refused | let-go |
-- unknown-call | replayed.
CREATE FUNCTION admit_caller(p_jti text, p_jti_expires timestamptz, p_leg text, p_call text, p_try int, p_lookup bytea,
                             p_session text, p_conversation text, p_participant text, p_account text)
RETURNS TABLE (outcome text, language text, tries int, tenant_id text, session_id text, conversation text, waits boolean) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_leg leg;
  v_pin pin;
  v_seat record;
  v_language text;
  v_outcome text;
BEGIN
  INSERT INTO webhook_jti (jti, expires_at) VALUES (p_jti, p_jti_expires) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN QUERY SELECT 'replayed', 'en-US', 0, NULL::text, NULL::text, NULL::text, false; RETURN; END IF;

  SELECT * INTO v_leg FROM leg l WHERE l.id = p_leg AND l.voice_call_id = p_call AND l.kind = 'inbound' AND l.account_id IS NOT DISTINCT FROM p_account FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN QUERY SELECT 'unknown-call', 'en-US', 0, NULL::text, NULL::text, NULL::text, false; RETURN; END IF;
  SELECT COALESCE((SELECT d.language FROM dial_in_number d WHERE d.e164 = v_leg.number), 'en-US') INTO v_language;

  IF p_try <= v_leg.tries THEN
    -- The same webhook again (its answer was lost): the same answer again, unless the call is to end by now.
    RETURN QUERY SELECT CASE WHEN v_leg.last_outcome = 'admitted' AND (v_leg.state IN ('ending', 'ended') OR s.state NOT IN ('open', 'live')) THEN 'let-go' ELSE v_leg.last_outcome END,
      v_language, v_leg.tries, v_leg.tenant_id, v_leg.session_id, s.conversation, COALESCE(is_held(r, s.id, v_leg.role), false)
    FROM (SELECT 1) AS this LEFT JOIN session s ON s.id = v_leg.session_id LEFT JOIN room r ON r.id = s.room_id; RETURN;
  END IF;
  IF v_leg.session_id IS NOT NULL OR v_leg.state IN ('ending', 'ended') THEN
    RETURN QUERY SELECT 'let-go', v_language, v_leg.tries, NULL::text, NULL::text, NULL::text, false; RETURN;
  END IF;

  -- The tenant comes from the PIN's row, never from the caller.
  SELECT p.* INTO v_pin FROM pin p WHERE p.number = v_leg.number AND p.lookup = p_lookup AND p.free_at IS NULL;
  IF FOUND THEN
    SELECT * INTO v_seat FROM seat_caller(v_leg, v_pin.room_id, v_pin.role, v_pin.participant_id, p_session, p_conversation, p_participant);
    IF v_seat.outcome <> 'no-room' THEN
      RETURN QUERY SELECT v_seat.outcome, v_language, v_leg.tries + 1, v_seat.tenant_id, v_seat.session_id, v_seat.conversation, v_seat.waits; RETURN;
    END IF;
  END IF;

  v_outcome := CASE WHEN v_leg.tries + 1 >= tries_for_pin(v_leg.slow) THEN 'refused' ELSE 'wrong-pin' END;
  UPDATE leg l SET tries = l.tries + 1, version = l.version + 1, last_outcome = v_outcome,
    -- What cannot be a PIN is no guess.
    guessed_at = CASE WHEN p_lookup IS NULL THEN l.guessed_at ELSE now() END, guess_odds = l.guess_odds + CASE WHEN p_lookup IS NULL THEN 0 ELSE guess_odds(l.number) END,
    state = CASE WHEN v_outcome = 'refused' THEN 'ending' WHEN l.state IN ('requested', 'dialling', 'ringing') THEN 'answered' ELSE l.state END,
    answered_at = COALESCE(l.answered_at, now()),
    owed_at = CASE WHEN v_outcome = 'refused' THEN now() END,
    owed_reason = CASE WHEN v_outcome = 'refused' THEN 'too-many-tries' END,
    deadline_at = now() + CASE WHEN v_outcome = 'refused' THEN time_for_good_bye() ELSE time_to_key(l.slow) END
  WHERE l.id = p_leg;
  RETURN QUERY SELECT v_outcome, v_language, v_leg.tries + 1, NULL::text, NULL::text, NULL::text, false;
END $$;

-- A call that we made was picked up: the bridge (named by its one-time token) or somebody we rang (named by the leg id in the answer
-- URL). Outcomes: join | let-go | unknown-leg | replayed. The call's id is kept even when it is to be let go, for it must be seen closed.
CREATE FUNCTION answer_own_leg(p_jti text, p_jti_expires timestamptz, p_leg text, p_token_hash bytea, p_call text, p_account text)
RETURNS TABLE (outcome text, tenant_id text, session_id text, conversation text, leg_id text, kind text, waits boolean) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_leg leg;
  v_session session;
BEGIN
  INSERT INTO webhook_jti (jti, expires_at) VALUES (p_jti, p_jti_expires) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN QUERY SELECT 'replayed', NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, false; RETURN; END IF;

  -- Session before leg, as everywhere: one order of locks.
  SELECT s.* INTO v_session FROM leg l JOIN session s ON s.id = l.session_id
  WHERE ((p_token_hash IS NOT NULL AND l.token_hash = p_token_hash AND l.kind = 'bridge') OR (p_token_hash IS NULL AND l.id = p_leg AND l.kind = 'outbound'))
    AND l.account_id IS NOT DISTINCT FROM p_account FOR NO KEY UPDATE OF s;
  IF FOUND THEN
    SELECT l.* INTO v_leg FROM leg l
    WHERE (p_token_hash IS NOT NULL AND l.token_hash = p_token_hash AND l.kind = 'bridge') OR (p_token_hash IS NULL AND l.id = p_leg AND l.kind = 'outbound') FOR NO KEY UPDATE;
  END IF;
  -- A token is good for one call; another call that shows it is nobody of ours.
  IF v_leg.id IS NULL OR (v_leg.voice_call_id IS NOT NULL AND v_leg.voice_call_id <> p_call) THEN
    RETURN QUERY SELECT 'unknown-leg', NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, false; RETURN;
  END IF;

  IF v_leg.state IN ('ending', 'ended') OR v_session.state NOT IN ('open', 'live') THEN
    -- Asked (again) at once: what was asked before could not name this call.
    UPDATE leg l SET voice_call_id = p_call, version = l.version + 1, asked_at = NULL WHERE l.id = v_leg.id AND l.voice_call_id IS NULL;
    RETURN QUERY SELECT 'let-go', v_leg.tenant_id, v_leg.session_id, NULL::text, v_leg.id, v_leg.kind, false; RETURN;
  END IF;

  UPDATE leg l SET voice_call_id = p_call, version = l.version + 1, answered_at = COALESCE(l.answered_at, now()),
    state = CASE WHEN l.state IN ('requested', 'dialling', 'ringing') THEN 'answered' ELSE l.state END
  WHERE l.id = v_leg.id;
  IF v_leg.state IN ('requested', 'dialling', 'ringing') THEN PERFORM note_answered(v_leg.id, v_session.id);
  ELSE UPDATE session s SET settle_owed_at = now(), version = s.version + 1 WHERE s.id = v_session.id; END IF;
  RETURN QUERY SELECT 'join', v_leg.tenant_id, v_leg.session_id, v_session.conversation, v_leg.id, v_leg.kind,
    v_leg.kind = 'outbound' AND (SELECT is_held(r, v_session.id, v_leg.role) FROM room r WHERE r.id = v_session.room_id);
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
-- Their own helpers, run as whoever they run as.
ALTER FUNCTION seat_caller(leg, text, text, text, text, text, text) OWNER TO partyline_platform;
ALTER FUNCTION is_held(room, text, text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION seat_caller(leg, text, text, text, text, text, text), is_held(room, text, text) FROM PUBLIC;
REVOKE CREATE ON SCHEMA public FROM partyline_platform;
