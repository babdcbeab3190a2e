import { isUp } from '@partyline/domain/leg';
import { isDeparture } from '@partyline/domain/session-clock';
import { verdict } from '@partyline/domain/verdict';
import { voidCharges } from '@partyline/store/billing/cdrs';
import { storeObservation } from '@partyline/store/legs/observations';
import { changeSession } from '../sessions/change-session.ts';
import { accountOwner, type Deps } from '../deps.ts';
import { reportFalseKill } from './report-false-kill.ts';
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
 * the provider. If its leg is up, its media handle is open again. A browser whose hang-up was never
 * requested gets a new leg, since an ended leg stays ended. The new leg is charged for the whole
 * connection. If the session is over it is hung up, which counts as a false kill if a departure
 * ended the session.
 * @returns `orphan`: the caller has to disconnect it
 */
export async function reopenConnection(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'report'>,
  { tenantId, sessionId, connectionId }: ClosedConnection,
): Promise<'reopened' | 'orphan'> {
  const changed = await changeSession(
    deps,
    tenantId,
    sessionId,
    async (view, tx) => {
      const leg = view.legs.findLast((each) => each.media_connection_id === connectionId);
      if (leg === undefined) return 'orphan';
      if (isUp(leg)) {
        await voidCharges(tx, tenantId, leg.id);
        leg.media_closed_at = null;
        leg.media_missing_since = null;
        if (leg.state === 'ending') leg.hangup_attempted_at = null;
        return null;
      }
      if (leg.hangup_requested_at !== null) return 'orphan';
      const { kind } = leg;
      const ended = { legId: leg.id, kind, owner: accountOwner(leg.account_id) };
      // Only a wrong observation ended it.
      const isFalseKill = isDeparture(view.session.end_reason) || kind !== 'webrtc';
      if (kind !== 'webrtc') return { ...ended, isFalseKill, isReopened: false };
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
        isReadmitted: true,
      });
      reopened.answered_at = leg.answered_at;
      reopened.joined_at = leg.joined_at;
      moveLeg(reopened, 'joined', view.now);
      return { ...ended, isFalseKill, isReopened: true };
    },
    { connectionId },
  );
  if (changed === null || changed.result === 'orphan') return 'orphan';
  if (changed.result === null) return 'reopened';
  const { legId, kind, owner, isFalseKill, isReopened } = changed.result;
  if (isFalseKill) reportFalseKill(deps, { tenantId, sessionId, legId, kind, owner });
  if (!isReopened) return 'orphan';
  deps.report.count('leg_reopened', { kind, owner });
  return 'reopened';
}
