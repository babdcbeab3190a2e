import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { LegRow } from '@partyline/store/legs/legs';
import { listConnections } from '@partyline/store/reconciliation/inventory';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';
import { isUnanswered } from '../legs/bridge-connection.ts';
import { requestHangUp } from '../sessions/leg-transitions.ts';
import { endUnobservedDial } from './expire-unobserved-dial.ts';

/** Longer than the provider's timeout; a list of connections waits for no slot. */
const CHECK_LEASE_MS = 6_000;
/** With the reconciler's grace period, the next list is requested after `MIN_GAP_MS`. */
const NEXT_CHECK_MS = 2_000;
/** A call arrives within this time of its dial, and one list may omit a live connection. */
const MIN_GAP_MS = 4_000;

/**
 * Finds out whether a bridge dial without a usable reply was placed. The dial did not happen when
 * two lists of the video session's connections, at least `MIN_GAP_MS` apart, show no connection
 * that could be the leg's, and no call has arrived. The leg then ends, so that another can be
 * dialled. A call that arrives later is answered with a hang-up, because its leg has ended. An
 * unknown connection in a list may be the leg's, and concludes nothing: the dial then expires later
 * (sessions/settle-session.ts).
 */
export async function checkUnansweredBridge(
  deps: Pick<Deps, 'store' | 'jobs' | 'providers' | 'report'>,
  tenantId: string,
  sessionId: string,
  legId: string,
): Promise<void> {
  const find = (legs: readonly LegRow[]): LegRow | undefined =>
    legs.find((leg) => leg.id === legId && isUnanswered(leg));
  const claimed = await changeSession(deps, tenantId, sessionId, ({ legs, session, now }) => {
    const leg = find(legs);
    if (leg === undefined || session.media_session_id === null) return null;
    if (leg.lease_until !== null && leg.lease_until > now) return null;
    leg.lease_until = new Date(now.getTime() + CHECK_LEASE_MS);
    return { askedAt: now, mediaSessionId: session.media_session_id, accountId: leg.account_id };
  });
  if (!claimed?.result) return;
  const { askedAt, mediaSessionId, accountId } = claimed.result;
  const { media } = await deps.providers(accountId, { tenantId });
  if (!media.capabilities.listConnections) return;
  const live = await media.listConnections(mediaSessionId).catch((error: unknown) => {
    if (!(error instanceof ProviderError)) throw error;
    deps.report.warn('the connections of a bridge dial could not be listed', {
      tenantId,
      sessionId,
      legId,
      reason: error.verdict.reason,
    });
    return null;
  });
  if (live === null) return;
  // Read after the list, so that it knows every connection whose callback has arrived.
  const known = new Set((await listConnections(deps.store, tenantId, sessionId)).map((leg) => leg.media_connection_id));
  const hasUnknown = live.some(({ connectionId }) => !known.has(connectionId));
  await changeSession(deps, tenantId, sessionId, async ({ legs, now }, tx) => {
    const leg = find(legs);
    if (leg === undefined) return;
    leg.lease_until = new Date(now.getTime() + NEXT_CHECK_MS);
    if (hasUnknown) leg.media_missing_since = null;
    else if (leg.media_missing_since === null) leg.media_missing_since = now;
    else if (askedAt.getTime() - leg.media_missing_since.getTime() >= MIN_GAP_MS) {
      // The request marks the leg, so that a call that arrives late is not reopened.
      requestHangUp(leg, 'unobserved', now);
      await endUnobservedDial(deps, tx, leg, now);
    }
  });
}
