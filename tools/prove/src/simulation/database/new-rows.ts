import type { LegRow, SessionRow } from '@partyline/store/session-view';

/** What the tables' defaults give a row. */
export const NEW_SESSION: Omit<SessionRow, 'id' | 'tenant_id' | 'room_id' | 'conversation' | 'media_session_id' | 'due_at' | 'due_reason' | 'created_at'> = {
  state: 'open', version: 0, had_browser: false, had_phone: false, browsers_left_at: null, phones_left_at: null, alone_since: null, empty_since: null, had_host: false, host_left_at: null, live_at: null, ending_at: null,
  ended_at: null, end_reason: null, last_seq: 0, settle_owed_at: null, bridge_failures: 0, bridge_owed_at: null, account_id: null,
};
export const NEW_LEG: Omit<LegRow, 'id' | 'kind' | 'state' | 'deadline_at' | 'created_at'> = {
  tenant_id: null, session_id: null, participant_id: null, role: 'participant', muted: false, version: 0, number: null, remote: null, token_hash: null, media_connection_id: null, media_made_at: null, media_missed_at: null, media_closed_at: null, sip_over_at: null,
  voice_call_id: null, voice_closed_at: null, tries: 0, last_outcome: null, slow: false, known: false, guessed_at: null, guess_odds: 0, dialled_at: null, answered_at: null, joined_at: null, ended_at: null, owed_at: null, owed_reason: null,
  asked_at: null, asks: 0, lease_until: null, confirmed_at: null, outcome: null, reason: null, account_id: null,
};
