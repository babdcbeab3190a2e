-- Admits a caller by the PIN that they keyed. Stores the token id of the webhook; its second use is
-- rejected. Locks the leg, then the session; with a wrong PIN the leg, then the number's sum of the day.
--
-- p_try      counts from 1 and names the prompt that this answers. A repeat of an earlier prompt gets the
--            last outcome again, or hang-up once the session ends, and counts no attempt.
-- p_lookups  keyed HMACs of the digits, one for each PIN key; null when the digits cannot be a PIN.
-- p_account  the account whose secret signed the webhook; see answer_caller.
-- p_silent   the prompt ended without a digit: not an attempt. After max_silent_prompts the call ends.
-- outcome    admitted | full | at-limit | spent | not-open | over | wrong-pin | refused | no-digits |
--            silent | hang-up | unknown-call | replayed
-- prompts    the prompts that are answered
CREATE OR REPLACE FUNCTION admit_caller(
  p_jti text,
  p_jti_expires timestamptz,
  p_leg text,
  p_call text,
  p_try int,
  p_lookups bytea[],
  p_session text,
  p_conversation text,
  p_participant text,
  p_account text,
  p_silent boolean DEFAULT false
) RETURNS TABLE (
  outcome text,
  language text,
  prompts int,
  tenant_id text,
  session_id text,
  conversation text,
  waits boolean,
  muted boolean,
  deadline_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER SET enable_seqscan = off SET search_path = public, pg_temp
AS $$
DECLARE
  v_leg leg;
  v_pin pin;
  v_admission record;
  v_outcome text;
  v_ends boolean;
  v_odds double precision := 0;
BEGIN
  language := 'en-US';
  prompts := 0;
  waits := false;
  muted := false;

  INSERT INTO webhook_jti (jti, expires_at) VALUES (p_jti, p_jti_expires) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    outcome := 'replayed';
    RETURN NEXT;
    RETURN;
  END IF;

  SELECT *
  INTO v_leg
  FROM leg l
  WHERE l.id = p_leg
    AND l.voice_call_id = p_call
    AND l.kind = 'inbound'
    AND l.account_id IS NOT DISTINCT FROM p_account
  FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    outcome := 'unknown-call';
    RETURN NEXT;
    RETURN;
  END IF;
  language := COALESCE((SELECT d.language FROM dial_in_number d WHERE d.e164 = v_leg.number), 'en-US');
  prompts := v_leg.tries + v_leg.silences;

  IF p_try <= prompts THEN
    -- A repeated webhook: the same answer, unless the call is to end by now.
    RETURN QUERY
      SELECT
        CASE
          WHEN v_leg.last_outcome = 'admitted'
            AND (v_leg.state IN ('ending', 'ended') OR s.state NOT IN ('open', 'live')) THEN 'hang-up'
          ELSE v_leg.last_outcome
        END,
        language, prompts, v_leg.tenant_id, v_leg.session_id, s.conversation,
        COALESCE(waits_for_host(r, s.id, v_leg.role), false), v_leg.muted,
        latest_end(s, r)
      FROM (SELECT 1) AS one_row
      LEFT JOIN session s ON s.id = v_leg.session_id
      LEFT JOIN room r ON r.id = s.room_id;
    RETURN;
  END IF;
  IF v_leg.session_id IS NOT NULL OR v_leg.state IN ('ending', 'ended') THEN
    outcome := 'hang-up';
    RETURN NEXT;
    RETURN;
  END IF;
  prompts := prompts + 1;

  -- The tenant comes from the row of the PIN, never from the caller.
  SELECT p.*
  INTO v_pin
  FROM pin p
  WHERE p.number = v_leg.number AND p.lookup = ANY (p_lookups) AND p.quarantined_until IS NULL;
  IF FOUND THEN
    SELECT *
    INTO v_admission
    FROM admit_to_session(
      v_leg, v_pin.room_id, v_pin.role, v_pin.participant_id, p_session, p_conversation, p_participant
    );
    IF v_admission.outcome <> 'no-room' THEN
      outcome := v_admission.outcome;
      tenant_id := v_admission.tenant_id;
      session_id := v_admission.session_id;
      conversation := v_admission.conversation;
      waits := v_admission.waits;
      muted := v_admission.muted;
      deadline_at := v_admission.deadline_at;
      RETURN NEXT;
      RETURN;
    END IF;
  END IF;

  v_outcome := CASE
    WHEN p_silent AND v_leg.silences + 1 >= max_silent_prompts() THEN 'silent'
    WHEN p_silent THEN 'no-digits'
    WHEN v_leg.tries + 1 >= max_pin_attempts(v_leg.slow) THEN 'refused'
    ELSE 'wrong-pin'
  END;
  v_ends := v_outcome IN ('refused', 'silent');
  -- Digits that cannot be a PIN are not a guess.
  IF p_lookups IS NOT NULL THEN
    v_odds := pin_guess_odds(v_leg.number);
  END IF;
  UPDATE leg l
  SET tries = l.tries + CASE WHEN p_silent THEN 0 ELSE 1 END,
    silences = l.silences + CASE WHEN p_silent THEN 1 ELSE 0 END,
    version = l.version + 1,
    last_outcome = v_outcome,
    last_wrong_pin_at = CASE WHEN p_lookups IS NULL THEN l.last_wrong_pin_at ELSE now() END,
    pin_guess_odds = l.pin_guess_odds + v_odds,
    state = CASE WHEN v_ends THEN 'ending' ELSE answered_state(l.state) END,
    answered_at = COALESCE(l.answered_at, now()),
    hangup_requested_at = CASE WHEN v_ends THEN now() END,
    hangup_reason = CASE v_outcome WHEN 'refused' THEN 'too-many-tries' WHEN 'silent' THEN 'no-digits' END,
    deadline_at = now() + CASE WHEN v_ends THEN goodbye_time() ELSE pin_entry_time(l.slow) END
  WHERE l.id = p_leg;
  -- Last, because other callers of the number who key a wrong PIN wait for this row until the commit.
  -- A guess counts only at the account of the number, which may have changed since the call rang.
  IF v_odds > 0 THEN
    INSERT INTO pin_guess_day AS g (number, day, odds)
    SELECT d.e164, (now() AT TIME ZONE 'UTC')::date, v_odds
    FROM dial_in_number d
    WHERE d.e164 = v_leg.number AND d.account_id IS NOT DISTINCT FROM v_leg.account_id
    ON CONFLICT (number, day) DO UPDATE SET odds = g.odds + EXCLUDED.odds;
  END IF;
  outcome := v_outcome;
  RETURN NEXT;
END $$;

ALTER FUNCTION admit_caller(text, timestamptz, text, text, int, bytea[], text, text, text, text, boolean)
  OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION admit_caller(text, timestamptz, text, text, int, bytea[], text, text, text, text, boolean)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION admit_caller(text, timestamptz, text, text, int, bytea[], text, text, text, text, boolean)
  TO partyline_tenant;
