import { isUp } from '@partyline/domain/leg';
import { canJoin } from '@partyline/domain/session';
import { verdict } from '@partyline/domain/verdict';
import { voidCharges } from '@partyline/store/billing/cdrs';
import { storeObservation } from '@partyline/store/legs/observations';
import { changeSession } from '../sessions/change-session.ts';
import { accountOwner, type Deps } from '../deps.ts';
import { insertBrowser } from './insert-browser.ts';
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
 * whose hang-up was never requested gets a new leg, since an ended leg stays ended. The new leg is
 * charged for the whole connection.
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
      // Only a wrong observation ended it.
      if (!isRunning || leg.kind !== 'webrtc') return 'false-kill';
      await voidCharges(tx, tenantId, leg.id);
      await storeObservation(tx, tenantId, {
        legId: leg.id,
        handle: 'media',
        phase: 'reopened',
        source: 'look-up',
        verdict: verdict('indeterminate', 'still-live'),
        at: null,
      });
      const reopened = await insertBrowser(deps, view, tx, {
        connectionId,
        participantId: leg.participant_id,
        createdAt: leg.media_created_at,
        isConnected: true,
      });
      reopened.answered_at = leg.answered_at;
      reopened.joined_at = leg.joined_at;
      moveLeg(reopened, 'joined', view.now);
      deps.report.count('leg_reopened', { kind: leg.kind, owner: accountOwner(leg.account_id) });
      return 'reopened';
    },
    { connectionId },
  );
  return changed?.result ?? 'orphan';
}
