-- A call that we made was picked up: the bridge (named by its one-time token) or somebody we rang (named by the leg id in the answer
-- URL). Outcomes: join | let-go | unknown-leg | replayed. The call's id is kept even when it is to be let go, for it must be seen closed.
CREATE OR REPLACE FUNCTION answer_own_leg(p_jti text, p_jti_expires timestamp with time zone, p_leg text, p_token_hash bytea, p_call text, p_account text)
 RETURNS TABLE(outcome text, tenant_id text, session_id text, conversation text, leg_id text, kind text, waits boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET enable_seqscan TO 'off'
 SET search_path TO 'public', 'pg_temp'
AS $$
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
    UPDATE leg l SET voice_call_id = p_call, version = l.version + 1, hangup_attempted_at = NULL WHERE l.id = v_leg.id AND l.voice_call_id IS NULL;
    RETURN QUERY SELECT 'hang-up', v_leg.tenant_id, v_leg.session_id, NULL::text, v_leg.id, v_leg.kind, false; RETURN;
  END IF;

  UPDATE leg l SET voice_call_id = p_call, version = l.version + 1, answered_at = COALESCE(l.answered_at, now()),
    state = CASE WHEN l.state IN ('requested', 'dialling', 'ringing') THEN 'answered' ELSE l.state END
  WHERE l.id = v_leg.id;
  IF v_leg.state IN ('requested', 'dialling', 'ringing') THEN PERFORM mark_leg_answered(v_leg.id, v_session.id);
  ELSE UPDATE session s SET settle_due_at = now(), version = s.version + 1 WHERE s.id = v_session.id; END IF;
  RETURN QUERY SELECT 'join', v_leg.tenant_id, v_leg.session_id, v_session.conversation, v_leg.id, v_leg.kind,
    v_leg.kind = 'outbound' AND (SELECT waits_for_host(r, v_session.id, v_leg.role) FROM room r WHERE r.id = v_session.room_id);
END $$
;
ALTER FUNCTION answer_own_leg(text,timestamp with time zone,text,bytea,text,text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION answer_own_leg(text,timestamp with time zone,text,bytea,text,text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION answer_own_leg(text,timestamp with time zone,text,bytea,text,text) TO partyline_tenant;
