import type { HangUpLine as Line } from '@partyline/contracts/hang-ups/hang-up';
import type { Closing, HangUpLine } from '@partyline/store/hang-ups/hang-ups';

const showClosing = ({
  handle,
  source,
  outcome,
  reason,
  stored_at,
  provider_at,
}: Closing): Line['closings'][number] => ({
  handle,
  source,
  outcome: outcome as Line['closings'][number]['outcome'],
  reason,
  at: stored_at.toISOString(),
  providerAt: provider_at?.toISOString() ?? null,
});

/** A line of the ledger as the API shows it. */
export function showHangUp(line: HangUpLine): Line {
  const closings = line.closings.map(showClosing);
  return {
    legId: line.id,
    kind: line.kind as Line['kind'],
    roomId: line.room_id,
    sessionId: line.session_id,
    owedAt: line.hangup_requested_at.toISOString(),
    reason: line.hangup_reason,
    asks: line.asks,
    attempts: line.attempts.map(({ no, at, outcome, reason }) => ({ no, at: at.toISOString(), outcome, reason })),
    confirmedAt: line.confirmed_at?.toISOString() ?? null,
    confirmedBy: line.confirmed_at === null ? null : (closings.at(-1) ?? null),
    closings,
  };
}
