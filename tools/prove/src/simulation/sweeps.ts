import { deliverEvents, type DeliveryDeps } from '@partyline/conference/endpoints/deliver-events';
import type { Deps } from '@partyline/conference/deps';
import { computeNextAttemptAt } from '@partyline/conference/hang-ups/hang-up-leg';
import { reconcile } from '@partyline/conference/reconciliation/reconcile';
import { reconcileCharges } from '@partyline/conference/billing/reconcile-charges';
import { UNOBSERVED_AFTER_MS } from '@partyline/conference/sessions/settle-session';
import { sweepAccounts } from '@partyline/conference/reconciliation/sweep-accounts';
import { listAccountsToSweep } from '@partyline/store/reconciliation/inventory';
import { purgeExpired, PURGE_KINDS } from '@partyline/store/reconciliation/purge';
import type { Tables } from './database/tables.ts';
import type { Life } from './runtime/process.ts';
import type { Random } from './runtime/random.ts';
import type { EndpointReceiver } from './endpoint-receiver.ts';
import type { ScheduledEvent, Scheduler } from './runtime/scheduler.ts';
import type { LedgerEntry } from './provider/ledger.ts';

export interface Sweeps {
  readonly reconcile: boolean;
  readonly inventory: boolean;
}

/** What cleanup-worker runs on its timers. Planted bugs wrap it. */
export interface SweepPlan {
  readonly reconcile: (deps: Deps) => Promise<unknown>;
  readonly inventory: (deps: Deps) => Promise<unknown>;
  readonly deliver: (deps: DeliveryDeps) => Promise<unknown>;
}

/** As configured in cleanup-worker. */
const RECONCILE_INTERVAL_MS = 1_000;
const INVENTORY_INTERVAL_MS = 60_000;
const PURGE_INTERVAL_MS = 600_000;
const CHARGE_INTERVAL_MS = 10_000;
const DELIVERY_INTERVAL_MS = 1_000;
const SENDER_COUNT = 2;
/** The grace period of the reconciler. */
const GRACE_MS = 2_000;

const NEVER = new AbortController().signal;
/** Stores secrets unencrypted. */
const endpointSecrets = {
  encrypt: (secret: string) => Buffer.from(secret),
  decrypt: (encrypted: Uint8Array) => Buffer.from(encrypted).toString(),
};

interface Parts {
  readonly life: Life;
  readonly deps: Deps;
  readonly scheduler: Scheduler;
  readonly tables: Tables;
  readonly receiver: EndpointReceiver;
  /** Live entries of the provider's ledger. */
  readonly liveEntries: ReadonlyMap<string, LedgerEntry>;
  readonly sweeps: Sweeps;
  readonly random: Random;
  readonly mutate: (plan: SweepPlan) => SweepPlan;
}

/**
 * Starts the timers of a cleanup-worker: one run at a time, with an interval after each. Returns a
 * function to call after each commit, since work may be due then.
 */
export function startSweeps({
  life,
  deps,
  scheduler,
  tables,
  receiver,
  liveEntries,
  sweeps,
  random,
  mutate,
}: Parts): () => void {
  const wakers: (() => void)[] = [];
  const plan = mutate({
    reconcile,
    inventory: async (sweepDeps) => {
      await sweepAccounts(sweepDeps, INVENTORY_INTERVAL_MS, [null]);
      await sweepAccounts(sweepDeps, INVENTORY_INTERVAL_MS, await listAccountsToSweep(sweepDeps.store));
    },
    deliver: (deliveryDeps) => deliverEvents(deliveryDeps, NEVER),
  });
  /**
   * @param idleUntil the time before which a run would find no work and is not simulated; a commit
   *   may change it and so wakes the timer
   */
  const startTimer = (intervalMs: number, run: () => Promise<unknown>, idleUntil: () => number): void => {
    let event: ScheduledEvent | undefined;
    let isParked = false;
    const schedule = (at: number): void => {
      event = at === Infinity ? undefined : scheduler.at(at, () => life.deliver(tick));
    };
    const next = (): void => {
      const soon = scheduler.now + intervalMs * random.between(0.9, 1.1);
      const idleEnd = idleUntil();
      isParked = idleEnd > soon;
      schedule(isParked ? idleEnd + intervalMs * random.next() : soon);
    };
    const tick = (): void => {
      isParked = false;
      if (idleUntil() > scheduler.now) next();
      else void runIgnoringErrors(run, next);
    };
    next();
    wakers.push(() => {
      if (!isParked || !life.isAlive) return;
      const at = Math.max(scheduler.now, idleUntil());
      if (event !== undefined && event.at <= at + intervalMs) return;
      scheduler.cancel(event);
      schedule(at + intervalMs * random.next());
    });
  };
  if (sweeps.reconcile)
    startTimer(
      RECONCILE_INTERVAL_MS,
      () => plan.reconcile(deps),
      () => findNextDue(tables),
    );
  if (sweeps.inventory) {
    startTimer(
      INVENTORY_INTERVAL_MS / 6,
      () => plan.inventory(deps),
      () => {
        if (liveEntries.size === 0 && tables.orphanCalls.size === 0 && tables.liveLegs.size === 0) return Infinity;
        return tables.leases.get('inventory')?.available_at.getTime() ?? 0;
      },
    );
  }
  const post = receiver.createPost(life);
  for (let i = 0; i < SENDER_COUNT; i++)
    startTimer(
      DELIVERY_INTERVAL_MS,
      () => plan.deliver({ ...deps, post, endpointSecrets }),
      () => findNextDelivery(tables),
    );
  startTimer(
    CHARGE_INTERVAL_MS,
    () => reconcileCharges(deps),
    () => Math.min(Infinity, ...[...tables.cdrsWithPriceDue.values()].map((at) => at.getTime())),
  );
  startTimer(
    PURGE_INTERVAL_MS,
    () => Promise.all(PURGE_KINDS.map((kind) => purgeExpired(deps.store, kind, 10_000))),
    () => (tables.tokens.size > 1_000 ? 0 : Infinity),
  );
  return () => {
    for (const wake of wakers) wake();
  };
}

/** Runs once, then `next`, also after an error. */
async function runIgnoringErrors(run: () => Promise<unknown>, next: () => void): Promise<void> {
  try {
    await run();
  } catch {
    // The next run repeats the work, as in cleanup-worker.
  }
  next();
}

/** The earliest time at which a sender can claim a delivery. */
function findNextDelivery(tables: Tables): number {
  let next = Infinity;
  for (const id of tables.pendingDeliveries) {
    const { next_try_at, lease_until } = tables.deliveries.get(id)!;
    next = Math.min(next, Math.max(next_try_at!.getTime(), lease_until?.getTime() ?? 0));
  }
  return next;
}

/** The earliest time at which the reconciler finds due work. A run before it has no effect. */
function findNextDue(tables: Tables): number {
  let next = Infinity;
  /** @param notBefore the work has no effect before, such as a hang-up attempt during its back-off */
  const consider = (when: Date | null, notBefore = 0): void => {
    if (when !== null) next = Math.min(next, Math.max(when.getTime() + GRACE_MS, notBefore));
  };
  for (const id of tables.settleDue) consider(tables.sessions.get(id)!.settle_due_at);
  for (const id of tables.runningSessions) {
    const session = tables.sessions.get(id)!;
    consider(session.due_at);
    consider(tables.rooms.get(session.room_id)?.ended_at ?? null);
    consider(tables.tenants.get(session.tenant_id)?.suspended_at ?? null);
  }
  for (const id of tables.endingSessions) {
    const ending = (tables.legsOfSession.get(id) ?? [])
      .map((legId) => tables.legs.get(legId)!)
      .filter(({ state }) => state === 'ending');
    consider(
      tables.sessions.get(id)!.ending_at,
      ending.length === 0 ? 0 : Math.min(...ending.map((leg) => computeNextAttemptAt(leg))),
    );
  }
  for (const id of tables.bridgeDue) consider(tables.sessions.get(id)!.bridge_due_at);
  for (const id of tables.unadmittedLegs) {
    const leg = tables.legs.get(id)!;
    consider(leg.deadline_at, computeNextAttemptAt(leg));
  }
  for (const id of tables.endingLegs) {
    const leg = tables.legs.get(id)!;
    if (!tables.endingSessions.has(leg.session_id ?? '')) consider(leg.hangup_requested_at, computeNextAttemptAt(leg));
  }
  for (const id of tables.legsToDial) consider(tables.legs.get(id)!.created_at);
  for (const id of tables.diallingLegs)
    consider(new Date((tables.legs.get(id)!.dialled_at?.getTime() ?? 0) + UNOBSERVED_AFTER_MS));
  return next;
}
