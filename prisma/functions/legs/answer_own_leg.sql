-- Answers the webhook of a call that Partyline placed: the bridge leg, identified by its one-time token,
-- or a dial-out, identified by the leg id in the answer URL. Stores the token id of the webhook; its
-- second use is rejected. Locks the session, then the leg.
--
-- The answer URL of a reopened call still names the ended leg: the leg that has the call is answered if it
-- belongs to the same session (libs/conference/src/legs/reopen-call.ts).
--
-- p_token_hash  SHA-256 of the bridge token; null for a dial-out
-- p_account     the account whose secret signed the webhook; see answer_caller
-- outcome       join | hang-up | unknown-leg | replayed. hang-up stores the call id too: its end must
--               be observed.
-- deadline_at   the end of the session at the latest; null unless the call joins
CREATE OR REPLACE FUNCTION answer_own_leg(
  p_jti text,
  p_jti_expires timestamptz,
  p_leg text,
  p_token_hash bytea,
  p_call text,
  p_account text
) RETURNS TABLE (
  outcome text,
  tenant_id text,
  session_id text,
  conversation text,
  leg_id text,
  kind text,
  waits boolean,
  deadline_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER SET enable_seqscan = off SET search_path = public, pg_temp
AS $$
DECLARE
  v_leg leg;
  v_of_call leg;
  v_session session;
  v_room room;
BEGIN
  waits := false;

  INSERT INTO webhook_jti (jti, expires_at) VALUES (p_jti, p_jti_expires) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    outcome := 'replayed';
    RETURN NEXT;
    RETURN;
  END IF;

  SELECT s.*
  INTO v_session
  FROM leg l
  JOIN session s ON s.id = l.session_id
  WHERE (
      (p_token_hash IS NOT NULL AND l.token_hash = p_token_hash AND l.kind = 'bridge')
      OR (p_token_hash IS NULL AND l.id = p_leg AND l.kind = 'outbound')
    )
    AND l.account_id IS NOT DISTINCT FROM p_account
  FOR NO KEY UPDATE OF s;
  IF FOUND THEN
    SELECT l.*
    INTO v_leg
    FROM leg l
    WHERE (p_token_hash IS NOT NULL AND l.token_hash = p_token_hash AND l.kind = 'bridge')
      OR (p_token_hash IS NULL AND l.id = p_leg AND l.kind = 'outbound')
    FOR NO KEY UPDATE;
    SELECT l.*
    INTO v_of_call
    FROM leg l
    WHERE l.voice_call_id = p_call
    FOR NO KEY UPDATE;
    IF v_of_call.id <> v_leg.id THEN
      IF v_of_call.session_id = v_session.id AND v_of_call.kind = 'outbound'
        AND v_leg.kind = 'outbound' AND v_leg.voice_call_id IS NULL THEN
        v_leg := v_of_call;
      ELSE
        v_leg := NULL;
      END IF;
    END IF;
  END IF;
  -- A token is valid for one call. Another call that presents it is unknown, and so is another leg's call.
  IF v_leg.id IS NULL OR (v_leg.voice_call_id IS NOT NULL AND v_leg.voice_call_id <> p_call) THEN
    outcome := 'unknown-leg';
    RETURN NEXT;
    RETURN;
  END IF;
  tenant_id := v_leg.tenant_id;
  session_id := v_leg.session_id;
  leg_id := v_leg.id;
  kind := v_leg.kind;

  IF v_leg.state IN ('ending', 'ended') OR v_session.state NOT IN ('open', 'live') THEN
    -- Due for a hang-up attempt at once: earlier attempts had no call id to name.
    UPDATE leg l
    SET voice_call_id = p_call, version = l.version + 1, hangup_attempted_at = NULL
    WHERE l.id = v_leg.id AND l.voice_call_id IS NULL;
    outcome := 'hang-up';
    RETURN NEXT;
    RETURN;
  END IF;

  UPDATE leg l
  SET voice_call_id = p_call,
    version = l.version + 1,
    answered_at = COALESCE(l.answered_at, now()),
    state = answered_state(l.state)
  WHERE l.id = v_leg.id;
  IF v_leg.state = answered_state(v_leg.state) THEN
    UPDATE session s SET settle_due_at = now(), version = s.version + 1 WHERE s.id = v_session.id;
  ELSE
    PERFORM emit_leg_answered(v_leg.id, v_session.id);
  END IF;

  outcome := 'join';
  conversation := v_session.conversation;
  SELECT r.* INTO v_room FROM room r WHERE r.id = v_session.room_id;
  deadline_at := latest_end(v_session, v_room);
  waits := v_leg.kind = 'outbound' AND waits_for_host(v_room, v_session.id, v_leg.role);
  RETURN NEXT;
END $$;

ALTER FUNCTION answer_own_leg(text, timestamptz, text, bytea, text, text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION answer_own_leg(text, timestamptz, text, bytea, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION answer_own_leg(text, timestamptz, text, bytea, text, text) TO partyline_tenant;
