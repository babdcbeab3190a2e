import type { HangUpEntry } from '@partyline/contracts/hang-ups/hang-up';
import type { Closing, HangUpLedgerEntry } from '@partyline/store/hang-ups/hang-ups';

const showObservation = ({
  handle,
  source,
  outcome,
  reason,
  stored_at,
  provider_at,
}: Closing): HangUpEntry['observations'][number] => ({
  handle,
  source,
  outcome: outcome as HangUpEntry['observations'][number]['outcome'],
  reason,
  at: stored_at.toISOString(),
  providerAt: provider_at?.toISOString() ?? null,
});

/** An entry of the ledger as the API shows it. */
export function showHangUp(entry: HangUpLedgerEntry): HangUpEntry {
  const observations = entry.closings.map(showObservation);
  return {
    legId: entry.id,
    kind: entry.kind as HangUpEntry['kind'],
    roomId: entry.room_id,
    sessionId: entry.session_id,
    requestedAt: entry.hangup_requested_at.toISOString(),
    reason: entry.hangup_reason,
    attemptCount: entry.hangup_attempts,
    attempts: entry.attempts.map(({ no, at, outcome, reason }) => ({ no, at: at.toISOString(), outcome, reason })),
    confirmedAt: entry.confirmed_at?.toISOString() ?? null,
    confirmedBy: entry.confirmed_at === null ? null : (observations.at(-1) ?? null),
    observations,
  };
}
