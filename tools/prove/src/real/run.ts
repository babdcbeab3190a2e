import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildApps } from '@partyline/dev/build';
import { createFaultInjector, type FaultInjector } from '@partyline/dev/faults/inject-faults';
import { startStack, type Stack } from '@partyline/dev/stack/stack';
import { seed as seedStore } from '@partyline/store/tenants/seed';
import { EVERY_TENANT, openStore } from '@partyline/store/database/store';
import { readBills } from './compare-billing.ts';
import { gather } from './evidence.ts';
import { bounds, standard, type Constants } from './oracle.ts';
import { endRoom, hold, type Held } from './run-meeting.ts';
import { FULL, planFaults, planParties, QUICK, tenantCount, type PlannedFault, type Size } from './plan.ts';
import { report, type RealResult } from './report.ts';
import { openTenant, type Tenant } from './tenant-client.ts';

interface RealOptions {
  readonly seed: number;
  /** At most 45 s instead of at most 210 s. */
  readonly quick: boolean;
  readonly log: (line: string) => void;
}

/** Longer than any outage that is played, shorter than the run. */
const PATIENCE_MS = 20_000;
const LOOK_EVERY_MS = 250;

/**
 * Stage 6: the real services as processes, two of each, with a real Postgres and Redis and the emulated vendor, while something breaks
 * every other second. The vendor's own ledger says whether the promise held. Nothing is left running, whatever happens.
 */
export async function runRealProcesses({ seed, quick, log }: RealOptions): Promise<RealResult> {
  const size = quick ? QUICK : FULL;
  const constants = standard(size.inventoryMs);
  await buildApps({ log });
  const broken: string[] = [];
  const stack = await startStack({
    mode: 'unified',
    replicas: 2,
    breakable: true,
    useOwnServers: true,
    // A service's end is told by whoever caused it, or found by the watch below.
    log: () => undefined,
    environment: {
      INVENTORY_MS: String(size.inventoryMs),
      LOG_LEVEL: 'warn',
      // For showing what leaks without it.
      ...(process.env.PARTYLINE_RECONCILER === undefined
        ? {}
        : { PARTYLINE_RECONCILER: process.env.PARTYLINE_RECONCILER }),
    },
  });
  const stop = new AbortController();
  const player = createFaultInjector(stack, (error) =>
    broken.push(`the run itself: ${error.message}: ${String(error.cause)}`),
  );
  const interrupted = (): void => {
    stop.abort();
    void player
      .endAll()
      .then(() => stack.stop())
      .finally(() => process.exit(130));
  };
  for (const signal of SIGNALS) process.once(signal, interrupted);
  try {
    log(`everything is up: two of each service; logs in ${stack.logFolder}`);
    log(describeConstants(constants));
    const watch = watchServices(stack, player, broken);
    const startedAt = Date.now();
    const held = await play({ stack, player, size, seed, log, stop: stop.signal, broken });
    watch.stop();
    const settledAt = Date.now();
    await player.endAll();
    await watch.allRunning();
    log(`all faults are over (${player.history.length} played); now everything must end`);
    broken.push(...(await endAll(held)));
    const dueS = Math.max(...Object.values(bounds(constants)).map(({ withinS }) => withinS)) + 10;
    await untilNothingIsUp(stack, settledAt + dueS * 1000);
    const evidence = await gather(stack.emulator!, held, player.history);
    writeFileSync(
      join(stack.logFolder, 'ledger.json'),
      JSON.stringify({ startedAt, ...evidence.ledger, windows: evidence.windows }),
    );
    const bills = await readBills(stack.databaseUrl, evidence.ledger, dueS * 1000);
    broken.push(...bills.troubles);
    return {
      billedVsLedgerMaxSeconds: bills.maxSeconds,
      ...report({ evidence, constants, broken, startedAt, seed, quick, log, logFolder: stack.logFolder }),
    };
  } finally {
    stop.abort();
    await player.endAll();
    await stack.stop();
    for (const signal of SIGNALS) process.removeListener(signal, interrupted);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
interface Play {
  readonly stack: Stack;
  readonly player: FaultInjector;
  readonly size: Size;
  readonly seed: number;
  readonly log: (line: string) => void;
  readonly stop: AbortSignal;
  readonly broken: string[];
}

/** Parties come and go while faults are played; both by plan. */
async function play({ stack, player, size, seed, log, stop, broken }: Play): Promise<Held[]> {
  const tenants = await openTenants(stack, stop);
  const held: Held[] = [];
  const began = Date.now();
  const at = (ms: number): Promise<void> => sleep(Math.max(0, began + ms - Date.now()), undefined, { signal: stop });
  const world = {
    vendor: stack.emulator!,
    number: stack.numbers[0]!.e164,
    stop,
    held: (one: Held) => void held.push(one),
  };
  let notHeld = 0;
  const parties = planParties(seed, size).map(async (party, which) => {
    await at(party.atMs);
    try {
      await hold(world, party, which, tenants[party.tenant]!);
    } catch (error) {
      if (stop.aborted) throw error;
      // A room that could not be made in time is an outage's cost, and no leg of anybody's.
      notHeld += 1;
    }
  });
  const breaking = (async () => {
    for (const planned of planFaults(seed, size)) {
      await at(planned.atMs);
      await breakIt(
        stack,
        player,
        planned,
        (line) => log(`  ${((Date.now() - began) / 1000).toFixed(1).padStart(5)} s  ${line}`),
        broken,
      );
    }
  })();
  await Promise.all([breaking, Promise.race([Promise.all(parties), at(size.loadMs)])]);
  // Those who still stay are sent home by their tenants.
  void Promise.allSettled(parties);
  if (notHeld > 0) log(`${notHeld} parties could not be held to their end`);
  return held;
}

/** Plays a planned fault on whatever is free for it now; never on both of two. */
async function breakIt(
  stack: Stack,
  player: FaultInjector,
  { fault, target, forMs }: PlannedFault,
  log: (line: string) => void,
  broken: string[],
): Promise<void> {
  const processes = fault.name === 'kill' || fault.name === 'freeze';
  const free = fault
    .listTargets(stack)
    .filter((each) => player.isAvailable(fault, each) && !(processes && siblingIsDown(stack, player, each)));
  const chosen = free[target % Math.max(1, free.length)];
  if (chosen === undefined) return log(`${fault.name}: not now, another fault holds it`);
  log(`${fault.name} on ${chosen}${forMs === null ? '' : ` for ${(forMs / 1000).toFixed(1)} s`}`);
  try {
    await player.inject(fault, chosen, forMs);
  } catch (error) {
    broken.push(`the run itself: ${fault.name} on ${chosen} could not be played: ${String(error)}`);
  }
}

function siblingIsDown(stack: Stack, player: FaultInjector, name: string): boolean {
  const service = stack.instances.find((each) => each.name === name)?.service;
  const siblings = stack.instances.filter((each) => each.service === service).map((each) => each.name);
  return player.history.some(
    ({ fault, target, endedAt: until }) =>
      until === undefined && (fault.name === 'kill' || fault.name === 'freeze') && siblings.includes(target),
  );
}

async function openTenants(stack: Stack, stop: AbortSignal): Promise<Tenant[]> {
  const keys = Array.from(
    { length: tenantCount },
    () => `pl_dev_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`,
  );
  const failed: Error[] = [];
  const store = openStore({ url: stack.databaseUrl, max: 1, onError: (error) => failed.push(error) });
  try {
    for (const [at, apiKey] of keys.entries())
      await seedStore(store, {
        tenantId: `ten_prove${at}`,
        tenantName: `Tenant ${at}`,
        apiKey,
        countries: ['DE'],
        numbers: stack.numbers,
      });
    // What is proved is that calls end, not that tenants have limits; these ask and ring without a pause.
    await store.query(EVERY_TENANT, {
      text: 'UPDATE tenant SET max_live_rooms = 1000000, max_live_legs = 1000000, max_dial_outs_per_minute = 1000000, max_requests_per_minute = 1000000',
    });
  } finally {
    await store.close();
  }
  if (failed[0]) throw failed[0];
  return keys.map((apiKey) => openTenant(stack.urls['room-api'], apiKey, PATIENCE_MS, stop));
}

/** A service that ends by itself, because something beside it broke, is a bug; it is started again as Kubernetes would. */
function watchServices(
  stack: Stack,
  player: FaultInjector,
  broken: string[],
): { stop(): void; allRunning(): Promise<void> } {
  const restarts = new Map<string, Promise<void>>();
  const look = (): void => {
    for (const instance of stack.instances) {
      const { child, name } = instance;
      if (child === undefined || child.isRunning || restarts.has(name)) continue;
      if (
        player.history.some(
          ({ fault, target, endedAt: until }) => fault.name === 'kill' && target === name && until === undefined,
        )
      )
        continue;
      broken.push(`${name} ended by itself. Its last words:\n${child.tail().split('\n').slice(-8).join('\n')}`);
      const restart = instance
        .start()
        .catch((error: unknown) => void broken.push(`${name} did not come back: ${String(error)}`));
      restarts.set(name, restart);
      void restart.finally(() => restarts.delete(name));
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  return {
    stop: () => clearInterval(timer),
    async allRunning() {
      look();
      await Promise.all(restarts.values());
    },
  };
}

/** The tenants end every room whose session goes on; says which would not end. */
async function endAll(held: readonly Held[]): Promise<string[]> {
  const wrong: string[] = [];
  await Promise.all(
    held.map(async (each) => {
      try {
        const { session, room } = await each.tenant.room(each.created.room.id);
        if (session !== null && session.state !== 'ended' && session.state !== 'ending') await endRoom(each);
        if (session !== null && room.state === 'ended' && session.state !== 'ended') return;
      } catch (error) {
        wrong.push(`${each.party.name}: with every fault over, the room could not be ended: ${String(error)}`);
      }
    }),
  );
  return wrong;
}

async function untilNothingIsUp(stack: Stack, until: number): Promise<void> {
  while (Date.now() < until && (await stack.emulator!.ledger()).up > 0) await sleep(LOOK_EVERY_MS);
}

function describeConstants(constants: Constants): string {
  const { reconcileS, callTimeoutS, inventoryS, hangUpsPerS } = constants;
  const table = Object.entries(bounds(constants)).map(
    ([name, { withinS, plusOutage }]) => `${name} ${withinS}${plusOutage ? '+D' : ''}`,
  );
  return `bounds with R ${reconcileS} s, A ${callTimeoutS} s, S_inv ${inventoryS} s (scaled from 60 s), H ${hangUpsPerS}/s (N/H on top): ${table.join(', ')} s`;
}
