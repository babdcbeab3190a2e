import { isTenantAccount } from '@partyline/domain/platform-account';
import type { LegRow } from '@partyline/store/legs/legs';
import type { SessionRow } from '@partyline/store/sessions/session-lock';

/** The columns of a row's provider account. */
export const accountColumns = (account: string | null): Pick<LegRow, 'account_id' | 'tenant_account_id'> => ({
  account_id: account,
  tenant_account_id: isTenantAccount(account) ? account : null,
});

/** The column defaults of the tables. */
export const DEFAULT_SESSION: Omit<
  SessionRow,
  'id' | 'tenant_id' | 'room_id' | 'conversation' | 'media_session_id' | 'due_at' | 'due_reason' | 'created_at'
> = {
  state: 'open',
  version: 0,
  had_browser: false,
  had_phone: false,
  browsers_left_at: null,
  phones_left_at: null,
  alone_since: null,
  empty_since: null,
  had_host: false,
  host_left_at: null,
  live_at: null,
  ending_at: null,
  ended_at: null,
  end_reason: null,
  last_seq: 0,
  presence_checked_at: null,
  settle_due_at: null,
  bridge_failures: 0,
  bridge_due_at: null,
  account_id: null,
  tenant_account_id: null,
};
export const DEFAULT_LEG: Omit<LegRow, 'id' | 'kind' | 'state' | 'deadline_at' | 'created_at'> = {
  tenant_id: null,
  session_id: null,
  participant_id: null,
  role: 'participant',
  muted: false,
  version: 0,
  number: null,
  remote: null,
  token_hash: null,
  media_connection_id: null,
  media_created_at: null,
  media_missing_since: null,
  media_closed_at: null,
  sip_ended_at: null,
  voice_call_id: null,
  voice_missing_lists: 0,
  voice_closed_at: null,
  tries: 0,
  silences: 0,
  last_outcome: null,
  slow: false,
  known: false,
  last_wrong_pin_at: null,
  pin_guess_odds: 0,
  dialled_at: null,
  answered_at: null,
  joined_at: null,
  ended_at: null,
  hangup_requested_at: null,
  hangup_reason: null,
  hangup_attempted_at: null,
  hangup_attempts: 0,
  lease_until: null,
  confirmed_at: null,
  outcome: null,
  reason: null,
  account_id: null,
  tenant_account_id: null,
};
