-- Whether a new call to a tenant's account is rejected, because too many of its calls may not exist. The
-- tenant can sign webhooks for any number of such calls (docs/accounts.md).
--
-- Counted are callers before admission, hang-ups that are unconfirmed after a minute, and calls of the
-- last hour that were closed as never seen, so that these cannot be replaced at once. All calls of the last
-- hour have a limit of their own: a call that is reported as over is not distinguished from a real one.
-- Without a lock: concurrent transactions can exceed a limit by the calls that they answer.
CREATE OR REPLACE FUNCTION is_account_busy(p_account text, p_call text) RETURNS boolean
LANGUAGE sql STABLE SET enable_seqscan = off
AS $$
  SELECT NOT EXISTS (SELECT FROM leg l WHERE l.voice_call_id = p_call)
    AND (
      (
        SELECT count(*)
        FROM leg l
        WHERE l.account_id = p_account
          AND l.state <> 'ended'
          AND l.voice_call_id IS NOT NULL
          AND (l.session_id IS NULL OR l.hangup_requested_at < now() - interval '1 minute')
      ) + (
        SELECT count(*)
        FROM leg l
        WHERE l.account_id = p_account AND l.voice_missing_lists >= 3 AND l.ended_at > now() - interval '1 hour'
      ) >= max_unseen_calls()
      OR (
        SELECT count(*)
        FROM leg l
        WHERE l.account_id = p_account AND l.kind = 'inbound' AND l.created_at > now() - interval '1 hour'
      ) >= max_legs_per_hour()
    )
$$;

ALTER FUNCTION is_account_busy(text, text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION is_account_busy(text, text) FROM PUBLIC;
