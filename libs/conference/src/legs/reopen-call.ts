import { isUp } from '@partyline/domain/leg';
import { isDeparture } from '@partyline/domain/session-clock';
import { verdict } from '@partyline/domain/verdict';
import type { ObservedCall } from '@partyline/provider-contract/voice-provider';
import { voidCharges } from '@partyline/store/billing/cdrs';
import { findParticipant } from '@partyline/store/participants/participants';
import { insertLeg, releaseCall, type LegRow } from '@partyline/store/legs/legs';
import { storeObservation } from '@partyline/store/legs/observations';
import { accountOwner, type Deps } from '../deps.ts';
import { reportFalseKill } from './report-false-kill.ts';
import { changeSession } from '../sessions/change-session.ts';
import { moveLeg, REPLACED_REASON, requestHangUp } from '../sessions/leg-transitions.ts';
import { sessionDeadline } from '../sessions/session-deadline.ts';

/**
 * Reopens a call that a look-up shows live although an observation ended its leg. A phone whose
 * hang-up was never requested gets a new leg, since an ended leg stays ended. The new leg has the
 * call, and is charged for the whole of it. It is hung up if the person was removed or has called
 * again since, or if the session is over. That counts as a false kill if a departure ended it.
 * The new leg is at least as far as the ended one was, and as far as the look-up reports.
 * @returns `orphan`: the hang-up was requested before, or the leg has no call
 */
export async function reopenCall(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'report'>,
  { tenantId, sessionId, legId }: { tenantId: string; sessionId: string; legId: string },
  { event }: ObservedCall,
): Promise<'reopened' | 'orphan'> {
  const changed = await changeSession(
    deps,
    tenantId,
    sessionId,
    async (view, tx) => {
      const leg = view.legs.find(({ id }) => id === legId);
      if (
        leg === undefined ||
        leg.state !== 'ended' ||
        leg.hangup_requested_at !== null ||
        leg.voice_call_id === null ||
        (leg.kind !== 'inbound' && leg.kind !== 'outbound')
      )
        return 'orphan';
      const isReplaced = hasLaterCall(view.legs, leg);
      const person = leg.participant_id === null ? null : await findParticipant(tx, tenantId, leg.participant_id);
      // A removed person may call again with a personal PIN.
      const isRemoved = person !== null && person.removed_at !== null && person.removed_at > leg.created_at;
      const { kind, role, participant_id, number, remote, voice_call_id, answered_at, joined_at } = leg;
      await releaseCall(tx, tenantId, legId);
      leg.voice_call_id = null;
      await voidCharges(tx, tenantId, legId);
      await storeObservation(tx, tenantId, {
        legId,
        handle: 'voice',
        phase: 'reopened',
        source: 'look-up',
        verdict: verdict('indeterminate', 'still-live'),
        at: null,
      });
      const reopened = await insertLeg(tx, tenantId, view.session, {
        id: deps.ids.next('leg'),
        kind,
        role,
        state: 'requested',
        participant_id,
        number,
        remote,
        voice_call_id,
        answered_at,
        joined_at,
        deadline_at: sessionDeadline(view),
      });
      reopened.muted = leg.muted;
      // The start of the call, for its charge.
      reopened.dialled_at = leg.dialled_at;
      view.legs.push(reopened);
      // A call that rings stays so until its pick-up is reported (answer_own_leg).
      moveLeg(reopened, 'ringing', view.now);
      if ((event.kind === 'call' && event.phase === 'answered') || answered_at !== null)
        moveLeg(reopened, 'answered', view.now);
      if (joined_at !== null) moveLeg(reopened, 'joined', view.now);
      if (isRemoved) requestHangUp(reopened, 'removed', view.now);
      if (isReplaced) requestHangUp(reopened, REPLACED_REASON, view.now);
      return { kind, owner: accountOwner(leg.account_id), isFalseKill: isDeparture(view.session.end_reason) };
    },
    { legId },
  );
  if (changed === null || changed.result === 'orphan') return 'orphan';
  const { kind, owner, isFalseKill } = changed.result;
  if (isFalseKill) reportFalseKill(deps, { tenantId, sessionId, legId, kind, owner });
  deps.report.count('leg_reopened', { kind, owner });
  return 'reopened';
}

/** A person has one place, and has moved to another telephone since this call. */
const hasLaterCall = (legs: readonly LegRow[], { participant_id, created_at }: LegRow): boolean =>
  participant_id !== null &&
  legs.some(
    (other) =>
      other.kind === 'inbound' &&
      other.participant_id === participant_id &&
      other.created_at > created_at &&
      other.voice_call_id !== null &&
      isUp(other) &&
      other.state !== 'ending',
  );
