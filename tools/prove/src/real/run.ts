import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildApps } from '@partyline/dev/build';
import { createFaultInjector, type FaultInjector } from '@partyline/dev/faults/inject-faults';
import { startStack, type Stack } from '@partyline/dev/stack/stack';
import { EVERY_TENANT, openStore } from '@partyline/store/database/store';
import { seed as seedStore } from '@partyline/store/tenants/seed';
import { compareBilling } from './compare-billing.ts';
import { gatherEvidence } from './evidence.ts';
import { computeBounds, createConstants, type BoundConstants } from './oracle.ts';
import {
  FULL_SIZE,
  planFaults,
  planMeetings,
  QUICK_SIZE,
  TENANT_COUNT,
  type PlannedFault,
  type RunSize,
} from './plan.ts';
import { reportRun, type RealResult } from './report.ts';
import { endRoom, runMeeting, type MeetingRecord } from './run-meeting.ts';
import { openTenantClient, type TenantClient } from './tenant-client.ts';

interface RealOptions {
  readonly seed: number;
  /** At most 45 s instead of at most 210 s. */
  readonly quick: boolean;
  readonly log: (line: string) => void;
}

/** Longer than any injected outage, shorter than the run. */
const API_RETRY_MS = 20_000;
const POLL_INTERVAL_MS = 250;
/** How long a fault waits for others that use its targets. Longer than most of them last. */
const MAX_TARGET_WAIT_MS = 5_000;

/**
 * Runs two processes of each service with a real Postgres and Redis and the emulated provider, and
 * injects a fault every other second. The provider's ledger decides whether the bounds held. Stops
 * every process that it started, also after an error or a signal.
 */
export async function runRealProcesses({ seed, quick, log }: RealOptions): Promise<RealResult> {
  const size = quick ? QUICK_SIZE : FULL_SIZE;
  const constants = createConstants(size.inventoryMs);
  await buildApps({ log });
  const problems: string[] = [];
  const stack = await startStack({
    mode: 'unified',
    replicas: 2,
    breakable: true,
    useOwnServers: true,
    // The fault injector or watchServices reports the end of a service.
    log: () => undefined,
    environment: {
      INVENTORY_MS: String(size.inventoryMs),
      LOG_LEVEL: 'warn',
      // `off` shows which legs leak without the reconciler.
      ...(process.env.PARTYLINE_RECONCILER === undefined
        ? {}
        : { PARTYLINE_RECONCILER: process.env.PARTYLINE_RECONCILER }),
    },
  });
  const stop = new AbortController();
  const injector = createFaultInjector(stack, (error) =>
    problems.push(`fault injector: ${error.message}: ${String(error.cause)}`),
  );
  const interrupt = (): void => {
    stop.abort();
    void injector
      .endAll()
      .then(() => stack.stop())
      .finally(() => process.exit(130));
  };
  for (const signal of SIGNALS) process.once(signal, interrupt);
  try {
    log(`two processes of each service run; logs: ${stack.logFolder}`);
    log(describeBounds(constants));
    const watch = watchServices(stack, injector, problems);
    const startedAt = Date.now();
    const meetings = await runLoad({ stack, injector, size, seed, log, stop: stop.signal, problems });
    watch.stop();
    const settledAt = Date.now();
    await injector.endAll();
    await watch.allRunning();
    log(`all ${injector.history.length} faults have ended; waiting for every leg to end`);
    problems.push(...(await endRooms(meetings)));
    const maxBoundS = Math.max(...Object.values(computeBounds(constants)).map(({ withinS }) => withinS)) + 10;
    await waitUntilAllEnded(stack, settledAt + maxBoundS * 1000);
    const evidence = await gatherEvidence(stack.emulator!, meetings, injector.history);
    writeFileSync(
      join(stack.logFolder, 'ledger.json'),
      JSON.stringify({ startedAt, ...evidence.ledger, windows: evidence.windows }),
    );
    const billing = await compareBilling(stack.databaseUrl, evidence.ledger, maxBoundS * 1000);
    problems.push(...billing.problems);
    return {
      billedVsLedgerMaxSeconds: billing.maxSeconds,
      ...reportRun({
        evidence,
        constants,
        problems,
        startedAt,
        loadEndedAt: settledAt,
        seed,
        quick,
        log,
        logFolder: stack.logFolder,
      }),
    };
  } finally {
    stop.abort();
    await injector.endAll();
    await stack.stop();
    for (const signal of SIGNALS) process.removeListener(signal, interrupt);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface RunContext {
  readonly stack: Stack;
  readonly injector: FaultInjector;
  readonly size: RunSize;
  readonly seed: number;
  readonly log: (line: string) => void;
  readonly stop: AbortSignal;
  /** Receives the problems of the run. */
  readonly problems: string[];
}

/**
 * Runs the planned meetings while it injects the planned faults. Returns the meetings whose room
 * was created.
 */
async function runLoad({ stack, injector, size, seed, log, stop, problems }: RunContext): Promise<MeetingRecord[]> {
  const tenants = await openTenants(stack, stop);
  const meetings: MeetingRecord[] = [];
  const startedAt = Date.now();
  const waitUntil = (ms: number): Promise<void> =>
    sleep(Math.max(0, startedAt + ms - Date.now()), undefined, { signal: stop });
  const context = {
    emulator: stack.emulator!,
    number: stack.numbers[0]!.e164,
    stop,
    onCreated: (meeting: MeetingRecord) => {
      // endRooms would not know it.
      if (isOver) throw new Error(`${meeting.plan.name} was created after the end of the load`);
      meetings.push(meeting);
    },
  };
  let isOver = false;
  let abandoned = 0;
  const running = planMeetings(seed, size).map(async (plan, index) => {
    await waitUntil(plan.atMs);
    try {
      await runMeeting(context, plan, index, tenants[plan.tenant]!);
    } catch (error) {
      if (stop.aborted) throw error;
      // An outage can prevent a room from being created in time. No leg depends on it.
      abandoned += 1;
    }
  });
  const injecting = (async () => {
    for (const planned of planFaults(seed, size)) {
      await waitUntil(planned.atMs);
      const logWithTime = (line: string): void =>
        log(`  ${((Date.now() - startedAt) / 1000).toFixed(1).padStart(5)} s  ${line}`);
      await injectFault(stack, injector, planned, logWithTime, problems);
    }
  })();
  await Promise.all([injecting, Promise.race([Promise.all(running), waitUntil(size.loadMs)])]);
  isOver = true;
  // endRooms ends the meetings that still run.
  void Promise.allSettled(running);
  if (abandoned > 0) log(`${abandoned} meetings were abandoned because of an outage`);
  return meetings;
}

/**
 * Injects a planned fault into an available target. Never takes both processes of a service down.
 */
async function injectFault(
  stack: Stack,
  injector: FaultInjector,
  { fault, target, durationMs }: PlannedFault,
  log: (line: string) => void,
  problems: string[],
): Promise<void> {
  const stopsProcess = fault.name === 'kill' || fault.name === 'freeze';
  const findTarget = (): string | undefined => {
    const available = fault
      .listTargets(stack)
      .filter((each) => injector.isAvailable(fault, each) && !(stopsProcess && isSiblingDown(stack, injector, each)));
    return available[target % Math.max(1, available.length)];
  };
  const waitUntil = Date.now() + MAX_TARGET_WAIT_MS;
  let chosen = findTarget();
  while (chosen === undefined && Date.now() < waitUntil) {
    await sleep(POLL_INTERVAL_MS);
    chosen = findTarget();
  }
  if (chosen === undefined) return log(`${fault.name}: skipped, another fault uses its targets`);
  log(`${fault.name} on ${chosen}${durationMs === null ? '' : ` for ${(durationMs / 1000).toFixed(1)} s`}`);
  try {
    await injector.inject(fault, chosen, durationMs);
  } catch (error) {
    problems.push(`fault injector: ${fault.name} on ${chosen} failed: ${String(error)}`);
  }
}

function isSiblingDown(stack: Stack, injector: FaultInjector, name: string): boolean {
  const service = stack.instances.find((each) => each.name === name)?.service;
  const siblings = stack.instances.filter((each) => each.service === service).map((each) => each.name);
  return injector.history.some(
    ({ fault, target, endedAt }) =>
      endedAt === undefined && (fault.name === 'kill' || fault.name === 'freeze') && siblings.includes(target),
  );
}

async function openTenants(stack: Stack, stop: AbortSignal): Promise<TenantClient[]> {
  const keys = Array.from(
    { length: TENANT_COUNT },
    () => `pl_dev_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`,
  );
  const errors: Error[] = [];
  const store = openStore({ url: stack.databaseUrl, max: 1, onError: (error) => errors.push(error) });
  try {
    for (const [index, apiKey] of keys.entries())
      await seedStore(store, {
        tenantId: `ten_prove${index}`,
        tenantName: `Tenant ${index}`,
        apiKey,
        countries: ['DE'],
        numbers: stack.numbers,
      });
    // The run proves that legs end, not the limits of tenants. Its tenants send requests without
    // pauses.
    await store.query(EVERY_TENANT, {
      text: `UPDATE tenant
        SET max_live_rooms = 1000000,
          max_live_legs = 1000000,
          max_dial_outs_per_minute = 1000000,
          max_requests_per_minute = 1000000`,
    });
  } finally {
    await store.close();
  }
  if (errors[0]) throw errors[0];
  return keys.map((apiKey) => openTenantClient(stack.urls['room-api'], apiKey, API_RETRY_MS, stop));
}

/**
 * Restarts each service that ends by itself, as Kubernetes does. Such an end is a problem: an
 * outage of something else must not end a service.
 */
function watchServices(
  stack: Stack,
  injector: FaultInjector,
  problems: string[],
): { stop(): void; allRunning(): Promise<void> } {
  const restarts = new Map<string, Promise<void>>();
  const isKilled = (name: string): boolean =>
    injector.history.some(
      ({ fault, target, endedAt }) => fault.name === 'kill' && target === name && endedAt === undefined,
    );
  const restartEnded = (): void => {
    for (const instance of stack.instances) {
      const { child, name } = instance;
      if (child === undefined || child.isRunning || restarts.has(name) || isKilled(name)) continue;
      problems.push(`${name} ended by itself. Its last log lines:\n${child.tail().split('\n').slice(-8).join('\n')}`);
      const restart = instance
        .start()
        .catch((error: unknown) => void problems.push(`${name} could not be restarted: ${String(error)}`));
      restarts.set(name, restart);
      void restart.finally(() => restarts.delete(name));
    }
  };
  const timer = setInterval(restartEnded, POLL_INTERVAL_MS);
  return {
    stop: () => clearInterval(timer),
    async allRunning() {
      restartEnded();
      await Promise.all(restarts.values());
    },
  };
}

/**
 * Ends every room whose session still runs, by the API. Returns a problem for each room that could
 * not be ended.
 */
async function endRooms(meetings: readonly MeetingRecord[]): Promise<string[]> {
  const problems: string[] = [];
  await Promise.all(
    meetings.map(async (meeting) => {
      try {
        const { session } = await meeting.tenant.readRoom(meeting.created.room.id);
        if (session !== null && session.state !== 'ended' && session.state !== 'ending') await endRoom(meeting);
      } catch (error) {
        problems.push(`${meeting.plan.name}: the room could not be ended after all faults: ${String(error)}`);
      }
    }),
  );
  return problems;
}

async function waitUntilAllEnded(stack: Stack, until: number): Promise<void> {
  while (Date.now() < until && (await stack.emulator!.ledger()).up > 0) await sleep(POLL_INTERVAL_MS);
}

function describeBounds(constants: BoundConstants): string {
  const { reconcileS, callTimeoutS, inventoryS, hangUpsPerSecond } = constants;
  const table = Object.entries(computeBounds(constants)).map(
    ([name, { withinS, addsOutage }]) => `${name} ${withinS}${addsOutage ? '+D' : ''}`,
  );
  return (
    `bounds in seconds for R = ${reconcileS} s, A = ${callTimeoutS} s, S_inv = ${inventoryS} s ` +
    `(scaled from 60 s), plus N/H with H = ${hangUpsPerSecond}/s: ${table.join(', ')}`
  );
}
