import { verdict } from '@partyline/domain/verdict';
import type { ProviderError } from '@partyline/provider-contract/provider-error';
import { storeObservation } from '@partyline/store/legs/observations';
import { lastAttempts } from '@partyline/store/hang-ups/hang-ups';
import type { LegRow } from '@partyline/store/legs/legs';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';
import { closeHandle } from '../sessions/leg-transitions.ts';

/** So many requests in a row to disconnect it, the first of them so long ago, were answered "not found". */
const MIN_NOT_FOUND_ATTEMPTS = 5;
const MIN_NOT_FOUND_MS = 60_000;

/**
 * The vendor was asked for the connections of a leg's video session, and says that it knows no such session (`answer`). What it means by that is
 * not documented (contract §1 has the status for dials and disconnects only), and one 404 proves nothing. Where every request to disconnect the
 * leg has been answered in the same way for a minute, there is nothing that could be asked of it any more: it is held to be gone, as
 * indeterminate, and only a leg that is owed its hang-up. Should it be live after all, the inventory goes on comparing the session for as long
 * as a token of it holds, and has the connection disconnected.
 */
export async function closeMissingMediaSession(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  { id, tenant_id: tenantId, session_id: sessionId, hangup_attempts }: LegRow,
  answer: ProviderError,
): Promise<void> {
  if (tenantId === null || sessionId === null) return;
  const attempts = await lastAttempts(deps.store, tenantId, { legId: id, no: hangup_attempts, limit: MIN_NOT_FOUND_ATTEMPTS });
  const first = attempts.at(MIN_NOT_FOUND_ATTEMPTS - 1);
  if (
    first === undefined ||
    first.age_ms < MIN_NOT_FOUND_MS ||
    attempts.some(({ outcome, reason }) => outcome !== 'rejected' || reason !== answer.verdict.reason)
  )
    return;
  await changeSession(deps, tenantId, sessionId, async (view, tx) => {
    const leg = view.legs.find((each) => each.id === id);
    if (leg === undefined || leg.state !== 'ending' || leg.media_closed_at !== null) return;
    const how = verdict('indeterminate', 'media-session-not-found');
    await storeObservation(tx, tenantId, {
      legId: id,
      handle: 'media',
      phase: 'over',
      source: 'look-up',
      verdict: how,
      at: null,
    });
    closeHandle(leg, 'media', how, view.now);
  });
  deps.report.warn('the vendor knows nothing of a leg’s video session; the leg is held to be gone', {
    tenantId,
    legId: id,
    sessionId,
  });
}
