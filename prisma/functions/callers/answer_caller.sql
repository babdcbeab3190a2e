-- Answers a call to a dial-in number. Creates the leg of the call, unless guard_caller rejects it. On a
-- number with a room without a PIN, admits the caller to that room (admit_to_session).
--
-- One function, so that a webhook costs one round trip. The token id of the webhook is stored in the
-- same transaction; its second use is rejected. A repeated request with another token gets the same
-- answer as the first one.
--
-- p_account  the account whose secret signed the webhook; null: the platform's first. Numbers and calls of
--            another account are treated as unknown, because a tenant can sign any content.
-- outcome    ask | ask-slowly | admitted | full | at-limit | spent | not-open | over | busy |
--            account-busy | suspended | unknown-number | hang-up | replayed. busy (guard_caller) and
--            account-busy (is_account_busy) create no leg. suspended (the tenant of a dedicated number)
--            and unknown-number change no row.
--
-- Without sequential scans: a plan made while a table was small is kept until the table is analysed,
-- and then reads the whole table for each webhook (measured: 3.9 ms a call instead of 0.2).
CREATE OR REPLACE FUNCTION answer_caller(
  p_jti text,
  p_jti_expires timestamptz,
  p_leg text,
  p_call text,
  p_number text,
  p_remote text,
  p_session text,
  p_conversation text,
  p_participant text,
  p_account text
) RETURNS TABLE (
  outcome text,
  leg_id text,
  language text,
  tenant_id text,
  session_id text,
  conversation text,
  waits boolean,
  deadline_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER SET enable_seqscan = off SET search_path = public, pg_temp
AS $$
DECLARE
  v_leg leg;
  v_number dial_in_number;
  v_room room;
  v_admission record;
  v_guard text := 'ask';
BEGIN
  waits := false;

  SELECT d.*
  INTO v_number
  FROM dial_in_number d
  WHERE d.e164 = p_number AND d.account_id IS NOT DISTINCT FROM p_account;
  language := COALESCE(v_number.language, 'en-US');
  IF v_number.e164 IS NULL THEN
    outcome := 'unknown-number';
    RETURN NEXT;
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM tenant t WHERE t.id = v_number.dedicated_to AND t.suspended_at IS NOT NULL) THEN
    outcome := 'suspended';
    RETURN NEXT;
    RETURN;
  END IF;

  INSERT INTO webhook_jti (jti, expires_at) VALUES (p_jti, p_jti_expires) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    outcome := 'replayed';
    RETURN NEXT;
    RETURN;
  END IF;

  IF v_number.tenant_account_id IS NOT NULL AND is_account_busy(p_account, p_call) THEN
    outcome := 'account-busy';
    RETURN NEXT;
    RETURN;
  END IF;

  IF v_number.dedicated_to IS NOT NULL THEN
    SELECT r.*
    INTO v_room
    FROM room r
    WHERE r.number = p_number AND r.tenant_id = v_number.dedicated_to AND r.state = 'active' AND r.pinless;
  END IF;
  IF v_room.id IS NULL THEN
    v_guard := guard_caller(v_number, p_remote, p_call);
  END IF;
  IF v_guard = 'busy' THEN
    outcome := v_guard;
    RETURN NEXT;
    RETURN;
  END IF;

  -- A number at a tenant's account is that tenant's, and so is each call to it.
  INSERT INTO leg (id, tenant_id, kind, state, number, remote, voice_call_id, slow, known, deadline_at, account_id)
  VALUES (
    p_leg, CASE WHEN v_number.tenant_account_id IS NOT NULL THEN v_number.dedicated_to END, 'inbound', 'ringing', p_number,
    p_remote, p_call, v_guard <> 'ask', v_guard = 'known', now() + pin_entry_time(v_guard <> 'ask'), p_account
  )
  ON CONFLICT (voice_call_id) DO NOTHING;
  SELECT *
  INTO v_leg
  FROM leg l
  WHERE l.voice_call_id = p_call AND l.account_id IS NOT DISTINCT FROM p_account
  FOR NO KEY UPDATE;
  -- The call belongs to another account.
  IF NOT FOUND THEN
    outcome := 'unknown-number';
    RETURN NEXT;
    RETURN;
  END IF;
  leg_id := v_leg.id;

  IF v_room.id IS NOT NULL AND v_leg.last_outcome IS NOT NULL THEN
    -- A repeated webhook: the same answer, unless the call is to end by now.
    RETURN QUERY
      SELECT
        CASE
          WHEN v_leg.last_outcome = 'admitted'
            AND (v_leg.state IN ('ending', 'ended') OR s.state IS NULL OR s.state NOT IN ('open', 'live'))
            THEN 'hang-up'
          ELSE v_leg.last_outcome
        END,
        v_leg.id, v_number.language, v_leg.tenant_id, v_leg.session_id, s.conversation,
        waits_for_host(v_room, v_leg.session_id, v_leg.role),
        latest_end(s, r)
      FROM (SELECT 1) AS one_row
      LEFT JOIN session s ON s.id = v_leg.session_id
      LEFT JOIN room r ON r.id = s.room_id;
    RETURN;
  END IF;
  IF v_leg.state IN ('ending', 'ended') THEN
    outcome := 'hang-up';
    RETURN NEXT;
    RETURN;
  END IF;

  IF v_room.id IS NOT NULL AND v_leg.session_id IS NULL THEN
    SELECT *
    INTO v_admission
    FROM admit_to_session(v_leg, v_room.id, 'participant', NULL, p_session, p_conversation, p_participant);
    IF v_admission.outcome <> 'no-room' THEN
      outcome := v_admission.outcome;
      tenant_id := v_admission.tenant_id;
      session_id := v_admission.session_id;
      conversation := v_admission.conversation;
      waits := v_admission.waits;
      deadline_at := v_admission.deadline_at;
      RETURN NEXT;
      RETURN;
    END IF;
    -- The room ended just now. The caller is not asked for a PIN, because guard_caller was not called.
    UPDATE leg l
    SET version = l.version + 1, last_outcome = 'over', state = 'ending',
      hangup_requested_at = now(), hangup_reason = 'room-over', deadline_at = now() + goodbye_time()
    WHERE l.id = v_leg.id;
    outcome := 'over';
    RETURN NEXT;
    RETURN;
  END IF;

  outcome := CASE WHEN v_leg.slow THEN 'ask-slowly' ELSE 'ask' END;
  RETURN NEXT;
END $$;

ALTER FUNCTION answer_caller(text, timestamptz, text, text, text, text, text, text, text, text)
  OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION answer_caller(text, timestamptz, text, text, text, text, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION answer_caller(text, timestamptz, text, text, text, text, text, text, text, text)
  TO partyline_tenant;
