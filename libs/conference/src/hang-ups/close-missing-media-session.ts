import { verdict } from '@partyline/domain/verdict';
import type { ProviderError } from '@partyline/provider-contract/provider-error';
import { storeObservation } from '@partyline/store/legs/observations';
import { listLastAttempts } from '@partyline/store/hang-ups/hang-ups';
import type { LegRow } from '@partyline/store/legs/legs';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';
import { closeHandle } from '../sessions/leg-transitions.ts';

/**
 * The session counts as missing after this many consecutive "not found" answers, and this long
 * after the first of them.
 */
const MIN_NOT_FOUND_ATTEMPTS = 5;
const MIN_NOT_FOUND_MS = 60_000;

/**
 * Closes the media handle of a leg whose video session is unknown to the provider, as
 * indeterminate. The provider does not document the meaning of that answer (provider contract,
 * section 1), and one 404 proves nothing. The function therefore acts only on a leg in `ending`,
 * after a minute in which every attempt was answered "not found". If the connection is live after
 * all, the sweep compares the session while its tokens are valid, and disconnects it.
 * @param answer the provider's answer to the request for the session's connections
 */
export async function closeMissingMediaSession(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  { id, tenant_id: tenantId, session_id: sessionId, hangup_attempts }: LegRow,
  answer: ProviderError,
): Promise<void> {
  if (tenantId === null || sessionId === null) return;
  const attempts = await listLastAttempts(deps.store, tenantId, {
    legId: id,
    no: hangup_attempts,
    limit: MIN_NOT_FOUND_ATTEMPTS,
  });
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
  deps.report.warn("the provider does not know a leg's video session; its media handle is closed", {
    tenantId,
    legId: id,
    sessionId,
  });
}
