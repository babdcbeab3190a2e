import { verdict } from '@partyline/domain/verdict';
import type { LegRow } from '@partyline/store/legs/legs';
import type { Tx } from '@partyline/store/database/store';
import { storeObservation } from '@partyline/store/legs/observations';
import { changeSession } from '../sessions/change-session.ts';
import { accountOwner, type Deps } from '../deps.ts';
import { UNOBSERVED_AFTER_MS } from '../sessions/settle-session.ts';
import { closeHandle, endLeg } from '../sessions/leg-transitions.ts';

/** A leg without a call id. */
interface UnobservedLeg {
  readonly id: string;
  readonly tenant_id: string | null;
  readonly session_id: string | null;
}

/**
 * Ends a leg whose dial got no reply and no event, when a complete list shows no call of it. The
 * list counts as an observation if it was requested after the provider's ringing timer had expired.
 * @param askedAt the database's time before the list was requested
 */
export async function expireUnobservedDial(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  { id, tenant_id, session_id }: UnobservedLeg,
  askedAt: Date,
): Promise<void> {
  if (tenant_id === null || session_id === null) return;
  await changeSession(deps, tenant_id, session_id, async (view, tx) => {
    const leg = view.legs.find((each) => each.id === id);
    if (leg === undefined || leg.state !== 'ending' || leg.voice_call_id !== null || leg.dialled_at === null) return;
    if (askedAt.getTime() - leg.dialled_at.getTime() < UNOBSERVED_AFTER_MS) return;
    await endUnobservedDial(deps, tx, leg, view.now);
  });
}

/** Ends the leg of a dial that lists show as never placed, or as over. Runs within a change. */
export async function endUnobservedDial(deps: Pick<Deps, 'report'>, tx: Tx, leg: LegRow, now: Date): Promise<void> {
  const how = verdict('indeterminate', 'unobserved');
  await storeObservation(tx, leg.tenant_id, {
    legId: leg.id,
    handle: 'voice',
    phase: 'over',
    source: 'look-up',
    verdict: how,
    at: null,
  });
  deps.report.count('dial_unobserved', { kind: leg.kind, owner: accountOwner(leg.account_id) });
  if (leg.media_connection_id === null) endLeg(leg, how, now);
  else closeHandle(leg, 'sip', how, now);
}
