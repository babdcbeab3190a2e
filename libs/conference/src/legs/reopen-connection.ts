import { isUp } from '@partyline/domain/leg';
import { canJoin } from '@partyline/domain/session';
import { insertBrowser } from '../legs/insert-browser.ts';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';
import { moveLeg } from '../sessions/leg-transitions.ts';

/** A connection that a list shows although its leg's media handle is closed. */
interface ClosedConnection {
  readonly tenantId: string;
  readonly sessionId: string;
  readonly connectionId: string;
}

/**
 * Reopens a connection that is live although it was recorded as closed, by an error of ours or of
 * the provider. If its leg is up, its media handle is open again. In a running session a browser
 * whose hang-up was never requested gets a new leg, since an ended leg stays ended.
 * @returns `orphan`: to be disconnected, since its session is over or its hang-up was requested;
 *   `false-kill`: to be disconnected although its leg was closed by mistake
 */
export async function reopenConnection(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'report'>,
  { tenantId, sessionId, connectionId }: ClosedConnection,
): Promise<'reopened' | 'orphan' | 'false-kill'> {
  const changed = await changeSession(
    deps,
    tenantId,
    sessionId,
    async (view, tx) => {
      const leg = view.legs.findLast((each) => each.media_connection_id === connectionId);
      if (leg === undefined) return 'orphan';
      if (isUp(leg)) {
        leg.media_closed_at = null;
        leg.media_missing_since = null;
        if (leg.state === 'ending') leg.hangup_attempted_at = null;
        return 'reopened';
      }
      const isRunning = canJoin(view.session.state);
      if (leg.hangup_requested_at !== null) return 'orphan';
      if (!isRunning || leg.kind !== 'webrtc')
        return isRunning || leg.reason === 'not-in-list' ? 'false-kill' : 'orphan';
      const reopened = await insertBrowser(deps, view, tx, {
        connectionId,
        participantId: leg.participant_id,
        createdAt: leg.media_created_at,
        isConnected: true,
      });
      moveLeg(reopened, 'joined', view.now);
      return 'reopened';
    },
    { connectionId },
  );
  return changed?.result ?? 'orphan';
}
