import { deliverEvents, type DeliveryDeps } from '@partyline/conference/endpoints/deliver-events';
import type { Deps } from '@partyline/conference/deps';
import { reconcile } from '@partyline/conference/reconciliation/reconcile';
import { reconcileCharges } from '@partyline/conference/billing/reconcile-charges';
import { sweepAccounts } from '@partyline/conference/reconciliation/sweep-accounts';
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

/** What the cleanup-worker runs on its timers; planted bugs replace parts of it. */
export interface SweepPlan {
  readonly reconcile: (deps: Deps) => Promise<unknown>;
  readonly inventory: (deps: Deps) => Promise<unknown>;
  readonly deliver: (deps: DeliveryDeps) => Promise<unknown>;
}

/** As in the cleanup-worker's configuration. */
const RECONCILE_INTERVAL_MS = 1_000;
const INVENTORY_INTERVAL_MS = 60_000;
const PURGE_INTERVAL_MS = 600_000;
const CHARGE_INTERVAL_MS = 10_000;
const DELIVERY_INTERVAL_MS = 1_000;
const SENDER_COUNT = 2;
const GRACE_MS = 2_000;
/** A dial of which nothing is heard for this long is settled. */
const UNOBSERVED_AFTER_MS = 90_000;

const NEVER = new AbortController().signal;
/** The simulated rows are read by nobody else. */
const endpointSecrets = {
  encrypt: (secret: string) => Buffer.from(secret),
  decrypt: (sealed: Uint8Array) => Buffer.from(sealed).toString(),
};

interface Parts {
  readonly life: Life;
  readonly deps: Deps;
  readonly scheduler: Scheduler;
  readonly tables: Tables;
  readonly receiver: EndpointReceiver;
  readonly live: ReadonlyMap<string, LedgerEntry>;
  readonly sweeps: Sweeps;
  readonly random: Random;
  readonly mutate: (plan: SweepPlan) => SweepPlan;
}

/** The cleanup-worker: timers in the process, one run at a time, each a while after the last. To be called after each commit: something may be owed now. */
export function startSweeps({
  life,
  deps,
  scheduler,
  tables,
  receiver,
  live,
  sweeps,
  random,
  mutate,
}: Parts): () => void {
  const wakers: (() => void)[] = [];
  const real: SweepPlan = {
    reconcile,
    inventory: (given) => sweepAccounts(given, INVENTORY_INTERVAL_MS),
    deliver: (given) => deliverEvents(given, NEVER),
  };
  const plan = mutate(real);
  /**
   * @param idleUntil until when a run would read rows and do nothing, and so need not be simulated; a commit may change that, and wakes it
   */
  const timer = (everyMs: number, run: () => Promise<unknown>, idleUntil: () => number): void => {
    let event: ScheduledEvent | undefined;
    let parked = false;
    const schedule = (at: number): void => {
      event = at === Infinity ? undefined : scheduler.at(at, () => life.deliver(tick));
    };
    const next = (): void => {
      const soon = scheduler.now + everyMs * random.between(0.9, 1.1);
      const idle = idleUntil();
      parked = idle > soon;
      schedule(parked ? idle + everyMs * random.next() : soon);
    };
    const tick = (): void => {
      parked = false;
      if (idleUntil() > scheduler.now) next();
      else void runIgnoringErrors(run, next);
    };
    next();
    wakers.push(() => {
      if (!parked) return;
      const at = scheduler.now + GRACE_MS;
      if (!life.isAlive || (event !== undefined && event.at <= at + everyMs)) return;
      scheduler.cancel(event);
      schedule(at + everyMs * random.next());
    });
  };
  if (sweeps.reconcile)
    timer(
      RECONCILE_INTERVAL_MS,
      () => plan.reconcile(deps),
      () => findNextDue(tables),
    );
  if (sweeps.inventory) {
    timer(
      INVENTORY_INTERVAL_MS / 6,
      () => plan.inventory(deps),
      () => {
        if (live.size === 0 && tables.orphanCalls.size === 0 && tables.liveLegs.size === 0) return Infinity;
        return tables.leases.get('inventory')?.available_at.getTime() ?? 0;
      },
    );
  }
  const post = receiver.createPost(life);
  for (let i = 0; i < SENDER_COUNT; i++)
    timer(
      DELIVERY_INTERVAL_MS,
      () => plan.deliver({ ...deps, post, endpointSecrets }),
      () => (tables.pendingDeliveries.size === 0 ? Infinity : 0),
    );
  timer(
    CHARGE_INTERVAL_MS,
    () => reconcileCharges(deps),
    () => Math.min(Infinity, ...[...tables.cdrsWithPriceDue.values()].map((at) => at.getTime())),
  );
  timer(
    PURGE_INTERVAL_MS,
    () => Promise.all(PURGE_KINDS.map((kind) => purgeExpired(deps.store, kind, 10_000))),
    () => (tables.tokens.size > 1_000 ? 0 : Infinity),
  );
  return () => {
    for (const wake of wakers) wake();
  };
}

/** Whatever comes of it, the timer goes on. */
async function runIgnoringErrors(run: () => Promise<unknown>, next: () => void): Promise<void> {
  try {
    await run();
  } catch {
    // The next round makes good, as in the cleanup-worker.
  }
  next();
}

/** When anything is owed for longer than the reconciler's grace, at the earliest: before that a run of it finds nothing and does nothing. */
function findNextDue(tables: Tables): number {
  let at = Infinity;
  const look = (when: Date | null): void => {
    if (when !== null && when.getTime() < at) at = when.getTime();
  };
  for (const id of tables.settleDue) look(tables.sessions.get(id)!.settle_due_at);
  for (const id of tables.runningSessions) {
    const session = tables.sessions.get(id)!;
    look(session.due_at);
    look(tables.rooms.get(session.room_id)?.ended_at ?? null);
    look(tables.tenants.get(session.tenant_id)?.suspended_at ?? null);
  }
  for (const id of tables.endingSessions) look(tables.sessions.get(id)!.ending_at);
  for (const id of tables.bridgeDue) look(tables.sessions.get(id)!.bridge_due_at);
  for (const id of tables.unadmittedLegs) look(tables.legs.get(id)!.deadline_at);
  for (const id of tables.endingLegs) look(tables.legs.get(id)!.hangup_requested_at);
  for (const id of tables.legsToDial) look(tables.legs.get(id)!.created_at);
  for (const id of tables.diallingLegs) look(new Date((tables.legs.get(id)!.dialled_at?.getTime() ?? 0) + UNOBSERVED_AFTER_MS));
  return at + GRACE_MS;
}
