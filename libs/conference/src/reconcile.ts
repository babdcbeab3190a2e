import { listOwed } from '@partyline/store/owed';
import { changeSession } from './change-session.ts';
import type { Deps } from './deps.ts';
import { dialOut } from './dial-out.ts';
import { endSession } from './end-session.ts';
import { expireRoom } from './expire-room.ts';
import { hangUpLeg } from './hang-up-leg.ts';
import { hangUpSession } from './hang-up-session.ts';
import { openBridge } from './open-bridge.ts';

/** Younger than this, what is owed is on its way by its own job. */
const GRACE_MS = 2_000;
/** A round begins nothing more after this: what is owed by then is read anew, hang-ups first. */
const ROUND_MS = 5_000;
/** Things in hand at once. */
const WIDTH = 16;

/**
 * Does whatever the rows say is owed and was not done: what was lost with Redis, never sent because a process died between its commit and
 * its send, or given up by a worker that was killed twice. It acts by itself, and needs
 * none of the jobs that its changes send, so it works with Redis gone. Run every second or so by as many replicas as like: each session is
 * locked and each leg leased by whoever works on it.
 * One thing's failure does not keep the others waiting. Answers how many of each there were; throws when Postgres is away.
 */
export async function reconcile(deps: Deps): Promise<Record<string, number>> {
  const begun = deps.clock.now().getTime();
  const owed = await listOwed(deps.store, { graceMs: GRACE_MS });
  // Hang-ups first: they cost money by the second.
  const work: (readonly [what: string, id: string, act: () => Promise<unknown>])[] = [
    ...owed.hangUpLegs.map(({ tenant_id, id }) => ['hang-up-leg', id, () => hangUpLeg(deps, tenant_id, id)] as const),
    ...[...owed.ending, ...owed.overdue].map(({ tenant_id, id }) => ['hang-up-session', id, () => hangUpSession(deps, tenant_id, id)] as const),
    ...owed.suspended.map(({ tenant_id, id }) => ['end-session', id, () => endSession(deps, tenant_id, id, 'tenant-suspended')] as const),
    ...owed.settle.map(({ tenant_id, id }) => ['settle-session', id, () => changeSession(deps, tenant_id, id, () => undefined)] as const),
    ...owed.bridge.map(({ tenant_id, id }) => ['open-bridge', id, () => openBridge(deps, tenant_id, id)] as const),
    ...owed.rooms.map(({ tenant_id, id }) => ['expire-room', id, () => expireRoom(deps, tenant_id, id)] as const),
    ...owed.dial.map(({ tenant_id, id }) => ['dial-out', id, () => dialOut(deps, tenant_id, id)] as const),
  ];
  const counts: Record<string, number> = {};
  const queue = work.values();
  const worker = async (): Promise<void> => {
    for (const [what, id, act] of queue) {
      if (deps.clock.now().getTime() - begun > ROUND_MS) return;
      counts[what] = (counts[what] ?? 0) + 1;
      try {
        await act();
      } catch (error) {
        deps.report.warn('what is owed could not be done; the next round tries again', { what, id, error: String(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, worker));
  return counts;
}
