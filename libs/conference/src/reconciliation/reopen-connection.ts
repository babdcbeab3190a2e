import { isUp } from '@partyline/domain/leg';
import { canJoin } from '@partyline/domain/session';
import { insertBrowser } from '../legs/insert-browser.ts';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';
import { moveLeg } from '../sessions/leg-transitions.ts';

/** A connection that a list shows and that we hold to be closed. */
interface ClosedConnection {
  readonly tenantId: string;
  readonly sessionId: string;
  readonly connectionId: string;
}

/**
 * A connection is live that was held to be closed: a mistake of ours, or of the vendor's. In a session that runs, a browser that was never to be hung up is taken
 * back, as a leg of its own, since what has ended stays ended; and the video side of a leg that is up is open again, to be hung up with it.
 * @returns `nobody's` to be disconnected: its session is over, or it was to go; `cut` the same, where it was a mistake that it has no leg any more, and nobody else's
 */
export async function reopenConnection(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'report'>,
  { tenantId, sessionId, connectionId }: ClosedConnection,
): Promise<'taken back' | 'nobody’s' | 'cut'> {
  const changed = await changeSession(
    deps,
    tenantId,
    sessionId,
    async (view, tx) => {
      const leg = view.legs.findLast((each) => each.media_connection_id === connectionId);
      if (leg === undefined) return 'nobody’s';
      if (isUp(leg)) {
        leg.media_closed_at = null;
        leg.media_missing_since = null;
        if (leg.state === 'ending') leg.hangup_attempted_at = null;
        return 'taken back';
      }
      const runs = canJoin(view.session.state);
      if (leg.hangup_requested_at !== null) return 'nobody’s';
      if (!runs || leg.kind !== 'webrtc') return runs || leg.reason === 'not-in-list' ? 'cut' : 'nobody’s';
      const anew = await insertBrowser(deps, view, tx, {
        connectionId,
        participantId: leg.participant_id,
        createdAt: leg.media_created_at,
        isConnected: true,
      });
      moveLeg(anew, 'joined', view.now);
      return 'taken back';
    },
    { connectionId },
  );
  return changed?.result ?? 'nobody’s';
}
