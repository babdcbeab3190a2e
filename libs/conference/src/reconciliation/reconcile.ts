import { listOwed } from '@partyline/store/reconciliation/due-work';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';
import { dialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { expireRoom } from '../rooms/expire-room.ts';
import { hangUpLeg } from '../hang-ups/hang-up-leg.ts';
import { hangUpSession } from '../hang-ups/hang-up-session.ts';
import { openBridge } from '../legs/open-bridge.ts';

/** Younger than this, what is owed is on its way by its own job. */
const GRACE_PERIOD_MS = 2_000;
/** A round begins nothing more after this: what is owed by then is read anew, hang-ups first. */
const MAX_ROUND_MS = 5_000;
/** Things in hand at once. */
const MAX_CONCURRENT = 16;

/**
 * Does whatever the rows say is owed and was not done: what was lost with Redis, never sent because a process died between its commit and
 * its send, or given up by a worker that was killed twice. It acts by itself, and needs
 * none of the jobs that its changes send, so it works with Redis gone. Run every second or so by as many replicas as like: each session is
 * locked and each leg leased by whoever works on it.
 * One thing's failure does not keep the others waiting. Answers how many of each there were; throws when Postgres is away.
 */
export async function reconcile(deps: Deps): Promise<Record<string, number>> {
  const begun = deps.clock.now().getTime();
  const owed = await listOwed(deps.store, { graceMs: GRACE_PERIOD_MS });
  // Hang-ups first: they cost money by the second.
  const work = [
    ...toWork('hang-up-leg', owed.hangUpLegs, ({ tenant_id, id }) => hangUpLeg(deps, tenant_id, id)),
    ...toWork('hang-up-session', [...owed.ending, ...owed.overdue], ({ tenant_id, id }) =>
      hangUpSession(deps, tenant_id, id),
    ),
    ...toWork('end-session', owed.suspended, ({ tenant_id, id }) => endSession(deps, tenant_id, id, 'tenant-suspended')),
    ...toWork('settle-session', owed.settle, ({ tenant_id, id }) => changeSession(deps, tenant_id, id, () => undefined)),
    ...toWork('open-bridge', owed.bridge, ({ tenant_id, id }) => openBridge(deps, tenant_id, id)),
    ...toWork('expire-room', owed.rooms, ({ tenant_id, id }) => expireRoom(deps, tenant_id, id)),
    ...toWork('dial-out', owed.dial, ({ tenant_id, id }) => dialOut(deps, tenant_id, id)),
  ];
  const counts: Record<string, number> = {};
  const queue = work.values();
  const worker = async (): Promise<void> => {
    for (const { what, row, act } of queue) {
      if (deps.clock.now().getTime() - begun > MAX_ROUND_MS) return;
      counts[what] = (counts[what] ?? 0) + 1;
      try {
        await act();
      } catch (error) {
        deps.report.warn('what is owed could not be done; the next round tries again', {
          what,
          tenantId: row.tenant_id,
          id: row.id,
          error: String(error),
        });
      }
    }
  };
  await Promise.all(Array.from({ length: MAX_CONCURRENT }, worker));
  return counts;
}

interface DueRow {
  /** Null: a caller who was never admitted. */
  readonly tenant_id: string | null;
  readonly id: string;
}
const toWork = <Row extends DueRow>(
  what: string,
  rows: readonly Row[],
  act: (row: Row) => Promise<unknown>,
): { what: string; row: DueRow; act: () => Promise<unknown> }[] =>
  rows.map((row) => ({ what, row, act: () => act(row) }));
