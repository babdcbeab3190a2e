import { ProviderError } from '@partyline/provider-contract/provider-error';
import { listObservedEnds } from '@partyline/store/legs/legs';
import { readDatabaseClock } from '@partyline/store/reconciliation/inventory';
import type { SessionView } from '@partyline/store/sessions/session-lock';
import type { Deps, Providers } from '../deps.ts';
import { changeSession } from '../sessions/change-session.ts';
import { reopenCall } from './reopen-call.ts';
import { reopenConnection } from './reopen-connection.ts';

/**
 * Asks the provider which of the browsers and phones that left a session by an observation alone
 * are still connected, and reopens those. Then settles the session, which ends it if a departure
 * still requires it. When the provider cannot be asked, the session is unchanged.
 */
export async function checkPresence(
  deps: Pick<Deps, 'store' | 'jobs' | 'providers' | 'ids' | 'report'>,
  { session: { id: sessionId, tenant_id: tenantId, account_id, media_session_id } }: SessionView,
): Promise<{ view: SessionView } | null> {
  // Read before the requests: a later departure is not covered by their replies.
  const askedAt = await readDatabaseClock(deps.store);
  let isAnswered = true;
  try {
    const ended = await listObservedEnds(deps.store, tenantId, sessionId);
    if (ended.length > 0) {
      const { media, voice } = await deps.providers(account_id, { tenantId, purpose: 'hang-up' });
      const connectionIds = new Set(ended.flatMap((leg) => leg.media_connection_id ?? []));
      if (connectionIds.size > 0 && media_session_id !== null && media.capabilities.listConnections)
        for (const { connectionId } of await listConnections(media, media_session_id))
          if (connectionIds.has(connectionId)) await reopenConnection(deps, { tenantId, sessionId, connectionId });
      for (const { id: legId, voice_call_id: callId } of ended) {
        const call = callId === null ? null : await voice.getCall(callId);
        if (call?.over === false) await reopenCall(deps, { tenantId, sessionId, legId });
      }
    }
  } catch (error) {
    isAnswered = false;
    deps.report.warn('the provider could not be asked who is still connected; the session ends later', {
      tenantId,
      sessionId,
      error: String(error),
    });
  }
  return changeSession(deps, tenantId, sessionId, ({ session }) => {
    if (isAnswered) session.presence_checked_at = askedAt;
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
