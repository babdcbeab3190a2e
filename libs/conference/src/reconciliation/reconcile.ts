import pMap from 'p-map';
import { listDueWork } from '@partyline/store/reconciliation/due-work';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';
import { dialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { expireRoom } from '../rooms/expire-room.ts';
import { checkUnansweredBridge } from '../hang-ups/check-unanswered-bridge.ts';
import { hangUpLeg } from '../hang-ups/hang-up-leg.ts';
import { hangUpSession } from '../hang-ups/hang-up-session.ts';
import { openBridge } from '../legs/open-bridge.ts';

/** Work that became due within this time is left to its job. */
const GRACE_PERIOD_MS = 2_000;
/**
 * A round starts no work after this time; the next round reads the due work again, hang-ups first.
 */
const MAX_ROUND_MS = 5_000;
/** Items that are processed concurrently. */
const MAX_CONCURRENT = 16;

/**
 * Does the due work that no job has done: jobs that BullMQ lost or gave up, and jobs that were
 * never enqueued because a process died after its commit. It depends on no job, so it works without
 * Redis. Runs every second in any number of replicas: sessions are locked, and legs are leased. A
 * failure of one item does not delay the others.
 * @returns the number of items per kind of work
 */
export async function reconcile(deps: Deps): Promise<Record<string, number>> {
  const startedAt = deps.clock.now().getTime();
  const due = await listDueWork(deps.store, { graceMs: GRACE_PERIOD_MS });
  // Hang-ups first: a late one costs money every second.
  const work = [
    ...takeTurns([
      ...toItems('hang-up-leg', due.hangUpLegs, ({ tenant_id, id }) => hangUpLeg(deps, tenant_id, id)),
      ...toItems('hang-up-session', [...due.ending, ...due.overdue], ({ tenant_id, id }) =>
        hangUpSession(deps, tenant_id, id),
      ),
    ]),
    ...toItems('end-session', due.suspended, ({ tenant_id, id }) =>
      endSession(deps, tenant_id, id, 'tenant-suspended'),
    ),
    ...toItems('settle-session', due.settle, ({ tenant_id, id }) =>
      changeSession(deps, tenant_id, id, () => undefined),
    ),
    ...toItems('open-bridge', due.bridge, ({ tenant_id, id }) => openBridge(deps, tenant_id, id)),
    ...toItems('check-bridge', due.unansweredBridges, ({ tenant_id, session_id, id }) =>
      checkUnansweredBridge(deps, tenant_id, session_id, id),
    ),
    ...toItems('expire-room', due.rooms, ({ tenant_id, id }) => expireRoom(deps, tenant_id, id)),
    ...toItems('dial-out', due.dial, ({ tenant_id, id }) => dialOut(deps, tenant_id, id)),
  ];
  const counts: Record<string, number> = {};
  await pMap(
    work,
    async ({ what, row, act }) => {
      if (deps.clock.now().getTime() - startedAt > MAX_ROUND_MS) return;
      counts[what] = (counts[what] ?? 0) + 1;
      try {
        await act();
      } catch (error) {
        deps.report.warn('due work failed; the next round retries it', {
          what,
          tenantId: row.tenant_id,
          id: row.id,
          error: String(error),
        });
      }
    },
    { concurrency: MAX_CONCURRENT },
  );
  return counts;
}

interface DueRow {
  /** Null: the leg of a caller at the platform's account who was never admitted. */
  readonly tenant_id: string | null;
  readonly id: string;
}
interface Item {
  readonly what: string;
  readonly row: DueRow;
  readonly act: () => Promise<unknown>;
}
const toItems = <Row extends DueRow>(what: string, rows: readonly Row[], act: (row: Row) => Promise<unknown>): Item[] =>
  rows.map((row) => ({ what, row, act: () => act(row) }));

/**
 * Orders items so that tenants take turns, each in its own order: a tenant with hundreds does not
 * delay the first ones of another.
 */
function takeTurns(items: readonly Item[]): Item[] {
  const counts = new Map<string | null, number>();
  const withTurns = items.map((item) => {
    const turn = counts.get(item.row.tenant_id) ?? 0;
    counts.set(item.row.tenant_id, turn + 1);
    return { item, turn };
  });
  return withTurns.toSorted((a, b) => a.turn - b.turn).map(({ item }) => item);
}
