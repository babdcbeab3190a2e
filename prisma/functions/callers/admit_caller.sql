-- A caller keyed a PIN (p_lookup is its keyed HMAC, null when what was keyed cannot be one). p_try counts from 1 and says which prompt
-- this answers, so a repeat is told from a new try. Outcomes: admitted | full | at-limit | spent | not-open | over (see admit_to_session) | wrong-pin | refused | let-go |
-- unknown-call | replayed.
CREATE OR REPLACE FUNCTION admit_caller(p_jti text, p_jti_expires timestamp with time zone, p_leg text, p_call text, p_try integer, p_lookup bytea, p_session text, p_conversation text, p_participant text, p_account text)
 RETURNS TABLE(outcome text, language text, tries integer, tenant_id text, session_id text, conversation text, waits boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET enable_seqscan TO 'off'
 SET search_path TO 'public', 'pg_temp'
AS $$
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
    RETURN QUERY SELECT CASE WHEN v_leg.last_outcome = 'admitted' AND (v_leg.state IN ('ending', 'ended') OR s.state NOT IN ('open', 'live')) THEN 'hang-up' ELSE v_leg.last_outcome END,
      v_language, v_leg.tries, v_leg.tenant_id, v_leg.session_id, s.conversation, COALESCE(waits_for_host(r, s.id, v_leg.role), false)
    FROM (SELECT 1) AS this LEFT JOIN session s ON s.id = v_leg.session_id LEFT JOIN room r ON r.id = s.room_id; RETURN;
  END IF;
  IF v_leg.session_id IS NOT NULL OR v_leg.state IN ('ending', 'ended') THEN
    RETURN QUERY SELECT 'hang-up', v_language, v_leg.tries, NULL::text, NULL::text, NULL::text, false; RETURN;
  END IF;

  -- The tenant comes from the PIN's row, never from the caller.
  SELECT p.* INTO v_pin FROM pin p WHERE p.number = v_leg.number AND p.lookup = p_lookup AND p.quarantined_until IS NULL;
  IF FOUND THEN
    SELECT * INTO v_seat FROM admit_to_session(v_leg, v_pin.room_id, v_pin.role, v_pin.participant_id, p_session, p_conversation, p_participant);
    IF v_seat.outcome <> 'no-room' THEN
      RETURN QUERY SELECT v_seat.outcome, v_language, v_leg.tries + 1, v_seat.tenant_id, v_seat.session_id, v_seat.conversation, v_seat.waits; RETURN;
    END IF;
  END IF;

  v_outcome := CASE WHEN v_leg.tries + 1 >= max_pin_attempts(v_leg.slow) THEN 'refused' ELSE 'wrong-pin' END;
  UPDATE leg l SET tries = l.tries + 1, version = l.version + 1, last_outcome = v_outcome,
    -- What cannot be a PIN is no guess.
    last_wrong_pin_at = CASE WHEN p_lookup IS NULL THEN l.last_wrong_pin_at ELSE now() END, pin_guess_odds = l.pin_guess_odds + CASE WHEN p_lookup IS NULL THEN 0 ELSE pin_guess_odds(l.number) END,
    state = CASE WHEN v_outcome = 'refused' THEN 'ending' WHEN l.state IN ('requested', 'dialling', 'ringing') THEN 'answered' ELSE l.state END,
    answered_at = COALESCE(l.answered_at, now()),
    hangup_requested_at = CASE WHEN v_outcome = 'refused' THEN now() END,
    hangup_reason = CASE WHEN v_outcome = 'refused' THEN 'too-many-tries' END,
    deadline_at = now() + CASE WHEN v_outcome = 'refused' THEN goodbye_time() ELSE pin_entry_time(l.slow) END
  WHERE l.id = p_leg;
  RETURN QUERY SELECT v_outcome, v_language, v_leg.tries + 1, NULL::text, NULL::text, NULL::text, false;
END $$
;
ALTER FUNCTION admit_caller(text,timestamp with time zone,text,text,integer,bytea,text,text,text,text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION admit_caller(text,timestamp with time zone,text,text,integer,bytea,text,text,text,text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION admit_caller(text,timestamp with time zone,text,text,integer,bytea,text,text,text,text) TO partyline_tenant;
