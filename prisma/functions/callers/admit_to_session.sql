-- Admits a caller to the current session of a room, or rejects them. Opens a session when there is none.
-- The only path by which a caller gets into a session.
--
-- p_leg      the caller's leg, locked by the calling function
-- p_person   the participant to whom the PIN belongs; null: p_participant is created
-- outcome    admitted | full | at-limit | spent | not-open | over, or no-room when the room has ended or its
--            session or number is at another account. no-room changes no row
-- waits      the caller hears hold music until a host joins
-- muted      the person is muted in the session, by an earlier call
-- deadline_at  the end of the session at the latest
--
-- A person has one place: their earlier calls in the session count neither for the room nor for the
-- tenant's limit. Settling the session hangs them up (libs/conference/src/sessions/settle-session.ts).
-- Locks: the room (shared) if a session is opened, the session, then the tenant's live-legs limit.
CREATE OR REPLACE FUNCTION admit_to_session(
  p_leg leg,
  p_room text,
  p_role text,
  p_person text,
  p_session text,
  p_conversation text,
  p_participant text
) RETURNS TABLE (
  outcome text,
  tenant_id text,
  session_id text,
  conversation text,
  waits boolean,
  muted boolean,
  deadline_at timestamptz
)
LANGUAGE plpgsql
AS $$
DECLARE
  v_room room;
  v_session session;
  v_account text;
  v_rejection text;
  v_earlier_calls int := 0;
  v_earlier_seats int := 0;
BEGIN
  waits := false;
  muted := false;

  -- The PIN of a suspended tenant's room counts as a wrong PIN.
  SELECT r.*
  INTO v_room
  FROM room r
  JOIN tenant t ON t.id = r.tenant_id AND t.suspended_at IS NULL
  WHERE r.id = p_room AND r.state = 'active';
  IF v_room.starts_at > now() THEN
    v_rejection := 'not-open';
  ELSIF v_room.ends_at <= now() THEN
    v_rejection := 'over';
  END IF;

  IF v_room.id IS NOT NULL AND v_rejection IS NULL THEN
    LOOP
      SELECT *
      INTO v_session
      FROM session s
      WHERE s.room_id = v_room.id AND s.state IN ('open', 'live')
      FOR NO KEY UPDATE;
      EXIT WHEN FOUND;
      -- The last session is over and this caller opens the next one, unless the room ended or its
      -- tenant was suspended while this transaction waited for the session.
      SELECT r.*
      INTO v_room
      FROM room r
      JOIN tenant t ON t.id = r.tenant_id AND t.suspended_at IS NULL
      WHERE r.id = v_room.id AND r.state = 'active'
      FOR SHARE OF r;
      EXIT WHEN NOT FOUND;
      SELECT d.account_id INTO v_account FROM dial_in_number d WHERE d.e164 = v_room.number;
      EXIT WHEN v_account IS DISTINCT FROM p_leg.account_id;
      -- Of two concurrent callers, the index admits one; the other waits and finds its session.
      INSERT INTO session (id, tenant_id, room_id, state, conversation, due_at, due_reason, account_id)
      VALUES (
        p_session, v_room.tenant_id, v_room.id, 'open', p_conversation,
        now() + make_interval(secs => v_room.max_duration_s), 'max-duration', v_account
      )
      ON CONFLICT DO NOTHING;
    END LOOP;
  END IF;

  -- A conference is at one account. The number may have moved to another account since the call rang.
  IF v_room.id IS NULL
    OR (v_rejection IS NULL AND (v_session.id IS NULL OR v_session.account_id IS DISTINCT FROM p_leg.account_id)) THEN
    outcome := 'no-room';
    RETURN NEXT;
    RETURN;
  END IF;

  IF v_rejection IS NULL AND p_person IS NOT NULL THEN
    SELECT
      count(*) FILTER (WHERE l.state <> 'ended'),
      count(*) FILTER (WHERE l.state NOT IN ('ending', 'ended'))
    INTO v_earlier_calls, v_earlier_seats
    FROM leg l
    WHERE l.session_id = v_session.id AND l.participant_id = p_person;
    muted := COALESCE(
      (
        SELECT l.muted
        FROM leg l
        WHERE l.session_id = v_session.id AND l.participant_id = p_person
        ORDER BY l.created_at DESC, l.id DESC
        LIMIT 1
      ),
      false
    );
  END IF;

  IF v_rejection IS NULL AND (
    SELECT count(*)
    FROM leg l
    WHERE l.session_id = v_session.id AND l.state NOT IN ('ending', 'ended') AND l.kind <> 'bridge'
  ) - v_earlier_seats >= v_room.max_participants THEN
    v_rejection := 'full';
  END IF;
  -- Without a lock: callers who pass while some budget is left are admitted, and ended with the session.
  IF v_rejection IS NULL AND EXISTS (
    SELECT
    FROM measure_spend(v_room.tenant_id, v_room.id, 'inbound', p_leg.number) AS m
    WHERE m.used + m.first_minute > m.allowed
  ) THEN
    v_rejection := 'spent';
  END IF;
  -- Last, because the whole tenant waits for this lock until the commit. Exclusive, because one
  -- transaction admits many callers (libs/store/src/database/batcher.ts).
  IF v_rejection IS NULL AND (
    SELECT h.used - v_earlier_calls >= h.allowed
    FROM lock_limit(v_room.tenant_id, 'live-legs', true) AS h
  ) THEN
    v_rejection := 'at-limit';
  END IF;

  IF v_rejection IS NOT NULL THEN
    -- The goodbye prompt ends the call; Partyline hangs up only if the call outlasts it.
    UPDATE leg l
    SET tries = l.tries + 1,
      version = l.version + 1,
      last_outcome = v_rejection,
      state = 'ending',
      hangup_requested_at = now(),
      hangup_reason = CASE v_rejection WHEN 'at-limit' THEN 'limit-live-legs' ELSE 'room-' || v_rejection END,
      deadline_at = now() + goodbye_time()
    WHERE l.id = p_leg.id;
    outcome := v_rejection;
    muted := false;
    RETURN NEXT;
    RETURN;
  END IF;

  IF p_person IS NULL THEN
    INSERT INTO participant (id, tenant_id, room_id, kind, name, role)
    VALUES (p_participant, v_room.tenant_id, v_room.id, 'caller', 'Caller', p_role);
  END IF;
  UPDATE leg l
  SET tries = l.tries + 1,
    version = l.version + 1,
    last_outcome = 'admitted',
    answered_at = COALESCE(l.answered_at, now()),
    state = answered_state(l.state),
    tenant_id = v_room.tenant_id,
    session_id = v_session.id,
    participant_id = COALESCE(p_person, p_participant),
    role = p_role,
    muted = admit_to_session.muted,
    deadline_at = latest_end(v_session, v_room)
  WHERE l.id = p_leg.id
  RETURNING l.deadline_at INTO admit_to_session.deadline_at;
  -- The leg had no tenant before: this is its first event.
  PERFORM emit_leg_answered(p_leg.id, v_session.id);

  outcome := 'admitted';
  tenant_id := v_room.tenant_id;
  session_id := v_session.id;
  conversation := v_session.conversation;
  waits := waits_for_host(v_room, v_session.id, p_role);
  RETURN NEXT;
END $$;

ALTER FUNCTION admit_to_session(leg, text, text, text, text, text, text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION admit_to_session(leg, text, text, text, text, text, text) FROM PUBLIC;
