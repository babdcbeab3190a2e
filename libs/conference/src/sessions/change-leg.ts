import { lockLeg, saveLegs, type LegRow } from '@partyline/store/legs/legs';
import { EVERY_TENANT, inTransaction, type Tx } from '@partyline/store/database/store';
import type { Deps } from '../deps.ts';
import { changeSession } from './change-session.ts';
import { recordHangUpLatency } from './record-hang-up-latency.ts';

/** A leg and its owner, as read before it is locked. */
interface FoundLeg {
  readonly id: string;
  readonly tenant_id: string | null;
  readonly session_id: string | null;
}

/**
 * Changes one leg: with its session, or alone before the caller's admission.
 * @returns `false` when the caller was admitted since `found` was read: the session must be locked
 *   first, so the calling function reads the leg again
 */
export async function changeLeg(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  found: FoundLeg,
  change: (leg: LegRow, at: { readonly roomId: string | null; readonly now: Date }, tx: Tx) => Promise<void> | void,
): Promise<boolean> {
  const { id: legId, tenant_id: tenantId, session_id: sessionId } = found;
  if (tenantId !== null && sessionId !== null) {
    await changeSession(
      deps,
      tenantId,
      sessionId,
      async (view, tx) => {
        const leg = view.legs.find(({ id }) => id === legId);
        if (leg !== undefined) await change(leg, { roomId: view.room.id, now: view.now }, tx);
      },
      { legId },
    );
    return true;
  }
  const closed = await inTransaction(deps.store, tenantId ?? EVERY_TENANT, async (tx) => {
    const locked = await lockLeg(tx, tenantId, legId);
    if (locked === null || locked.leg.session_id !== null) return null;
    const stateBefore = locked.leg.state;
    await change(locked.leg, { roomId: null, now: locked.now }, tx);
    await saveLegs(tx, tenantId, [locked.leg]);
    return locked.leg.state === 'ended' && stateBefore !== 'ended' ? [locked.leg] : [];
  });
  if (closed === null) return false;
  recordHangUpLatency(deps, closed);
  return true;
}
