import { verdict } from '@partyline/domain/verdict';
import { storeObservation } from '@partyline/store/legs/observations';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';
import { UNOBSERVED_AFTER_MS } from '../sessions/settle-session.ts';
import { closeHandle, endLeg } from '../sessions/leg-transitions.ts';

/** A leg whose call has no name. */
interface UnobservedLeg {
  readonly id: string;
  readonly tenant_id: string | null;
  readonly session_id: string | null;
  readonly kind: string;
}

/**
 * A dial whose answer was lost and of which nothing was ever heard: a list that the vendor was asked for once its own ringing timer was past, and
 * that shows nothing of it, is the observation that it is not up.
 * @param askedAt by the database's clock, before such a list was asked for
 */
export async function expireUnobservedDial(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  { id, tenant_id, session_id, kind }: UnobservedLeg,
  askedAt: Date,
): Promise<void> {
  if (tenant_id === null || session_id === null) return;
  await changeSession(deps, tenant_id, session_id, async (view, tx) => {
    const leg = view.legs.find((each) => each.id === id);
    if (leg === undefined || leg.state !== 'ending' || leg.voice_call_id !== null || leg.dialled_at === null) return;
    if (askedAt.getTime() - leg.dialled_at.getTime() < UNOBSERVED_AFTER_MS) return;
    const how = verdict('indeterminate', 'unobserved');
    await storeObservation(tx, tenant_id, {
      legId: id,
      handle: 'voice',
      phase: 'over',
      source: 'look-up',
      verdict: how,
      at: null,
    });
    deps.report.count('leg_never_seen', { kind });
    if (leg.media_connection_id === null) endLeg(leg, how, view.now);
    else closeHandle(leg, 'sip', how, view.now);
  });
}
