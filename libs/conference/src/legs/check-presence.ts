import { ProviderError } from '@partyline/provider-contract/provider-error';
import { listObservedEnds } from '@partyline/store/legs/legs';
import { readDatabaseClock } from '@partyline/store/reconciliation/inventory';
import type { SessionView } from '@partyline/store/sessions/session-lock';
import type { Deps, Providers } from '../deps.ts';
import { changeSession } from '../sessions/change-session.ts';
import { reopenCall } from './reopen-call.ts';
import { reopenConnection } from './reopen-connection.ts';

/**
 * A list or look-up may be slightly old, so one that shows a leg live proves nothing until the leg
 * has been over for this long.
 */
export const MIN_AGE_MS = 30_000;

/**
 * Asks the provider which of the browsers and phones that left a session by an observation alone
 * are still connected, and reopens those. Then settles the session, which ends it if a departure
 * still requires it. When the provider cannot be asked, or its reply proves nothing yet, the
 * session is unchanged.
 */
export async function checkPresence(
  deps: Pick<Deps, 'store' | 'jobs' | 'providers' | 'ids' | 'report'>,
  { session: { id: sessionId, tenant_id: tenantId, account_id, media_session_id } }: SessionView,
): Promise<{ view: SessionView } | null> {
  // Read before the requests: a later departure is not covered by their replies.
  const askedAt = await readDatabaseClock(deps.store);
  let isProven = true;
  try {
    const ended = await listObservedEnds(deps.store, tenantId, sessionId);
    if (ended.length > 0) {
      const { media, voice } = await deps.providers(account_id, { tenantId });
      const asksList =
        media_session_id !== null &&
        media.capabilities.listConnections &&
        ended.some((leg) => leg.media_connection_id !== null);
      const listed = new Set(
        asksList ? (await listConnections(media, media_session_id)).map(({ connectionId }) => connectionId) : [],
      );
      for (const { id: legId, ended_at, media_connection_id: connectionId, voice_call_id: callId } of ended) {
        // Deleted: a connection that was reopened before has several legs, the latest of them
        // first.
        const isListed = connectionId !== null && listed.delete(connectionId);
        const call = isListed || callId === null ? null : await voice.getCall(callId);
        const isLive = isListed || call?.over === false;
        // "Not found" proves nothing: a provider answers so for a live call in another region.
        if (callId !== null && call === null && !isListed) isProven = false;
        if (!isLive) continue;
        if (askedAt.getTime() - ended_at.getTime() < MIN_AGE_MS) isProven = false;
        else if (isListed) await reopenConnection(deps, { tenantId, sessionId, connectionId });
        else if (call !== null) await reopenCall(deps, { tenantId, sessionId, legId }, call);
      }
    }
  } catch (error) {
    isProven = false;
    deps.report.warn('the provider could not be asked who is still connected; the session ends later', {
      tenantId,
      sessionId,
      error: String(error),
    });
  }
  return changeSession(deps, tenantId, sessionId, ({ session }) => {
    if (isProven) session.presence_checked_at = askedAt;
  });
}

/** A video session that the provider does not know has no connections. */
const listConnections = (
  media: Providers['media'],
  mediaSessionId: string,
): Promise<readonly { readonly connectionId: string }[]> =>
  media.listConnections(mediaSessionId).catch((error: unknown) => {
    if (error instanceof ProviderError && error.failure === 'not-found') return [];
    throw error;
  });
