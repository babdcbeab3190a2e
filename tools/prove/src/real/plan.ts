import { faults, type Fault } from '@partyline/dev/faults/faults';
import { createRandom, type Random } from '../simulation/runtime/random.ts';

/** How a session ends. */
type Ending = 'tenant' | 'browsers-left' | 'alone' | 'empty' | 'deadline';

/** One room and its participants. */
export interface MeetingPlan {
  readonly name: string;
  /** Milliseconds after the start of the load. */
  readonly atMs: number;
  readonly tenant: number;
  readonly bridge: 'auto' | 'always';
  readonly browsers: number;
  readonly callers: number;
  readonly dialOuts: number;
  /** How long the participants stay after they have joined. */
  readonly stayMs: number;
  readonly ending: Ending;
  /** One caller hangs up after half of `stayMs`. */
  readonly callerLeavesEarly: boolean;
  /** One more caller dials the number and keys no digits. */
  readonly hasSilentCaller: boolean;
}

export interface PlannedFault {
  readonly fault: Fault;
  readonly atMs: number;
  /** Index into the available targets, modulo their number. */
  readonly target: number;
  readonly durationMs: number | null;
}

export interface RunSize {
  readonly loadMs: number;
  readonly meetings: number;
  /** The number of faults, without the combined faults. */
  readonly faults: number;
  /** The times at which the combined faults are injected, as fractions of `loadMs`. */
  readonly combinedFaultTimes: readonly number[];
  /** The last meeting starts this long before the end of the load, so that it can end by itself. */
  readonly lastStartMs: number;
  readonly maxStayMs: number;
  readonly endings: readonly Ending[];
  /**
   * The interval of the inventory, scaled down from 60 s (docs/guarantee.md) to fit into the run.
   */
  readonly inventoryMs: number;
}

export const FULL_SIZE: RunSize = {
  loadMs: 145_000,
  meetings: 112,
  faults: 64,
  combinedFaultTimes: [0.2, 0.5, 0.8],
  lastStartMs: 12_000,
  maxStayMs: 14_000,
  endings: ['tenant', 'tenant', 'browsers-left', 'browsers-left', 'alone', 'empty', 'deadline'],
  inventoryMs: 10_000,
};
export const QUICK_SIZE: RunSize = {
  loadMs: 18_000,
  meetings: 17,
  faults: 7,
  combinedFaultTimes: [0.35],
  lastStartMs: 7_000,
  maxStayMs: 5_000,
  endings: ['tenant', 'browsers-left', 'alone', 'empty'],
  inventoryMs: 5_000,
};

/** The shortest maximum duration of a session that the API accepts. */
export const DEADLINE_MS = 60_000;
export const TENANT_COUNT = 3;

/** Plans the meetings of a run. The same seed gives the same plan. */
export function planMeetings(seed: number, size: RunSize): MeetingPlan[] {
  const random = createRandom(seed, 'meetings');
  return Array.from({ length: size.meetings }, (_, index): MeetingPlan => {
    const atMs = Math.round((index / size.meetings) * (size.loadMs - size.lastStartMs));
    const wanted = random.pick(size.endings);
    // A meeting that is to reach its deadline must start early enough.
    const ending = wanted === 'deadline' && atMs > size.loadMs - DEADLINE_MS - 5_000 ? 'tenant' : wanted;
    const browsers = ending === 'browsers-left' || random.bool(0.8) ? 1 + random.int(2) : 0;
    const callers =
      ending === 'browsers-left' || browsers === 0 ? 1 + random.int(3) : random.int(3) + (random.bool(0.5) ? 1 : 0);
    return {
      name: `Meeting ${index + 1}`,
      atMs,
      ending,
      browsers,
      callers,
      tenant: random.int(TENANT_COUNT),
      bridge: random.bool(0.7) ? 'auto' : 'always',
      // A dialled participant stays, so the session would never be empty or down to one
      // participant.
      dialOuts: random.bool(0.4) && ending !== 'alone' && ending !== 'empty' ? 1 : 0,
      stayMs: Math.round(random.between(1_000, size.maxStayMs)),
      callerLeavesEarly: random.bool(0.25),
      hasSilentCaller: random.bool(0.05),
    };
  });
}

/**
 * Injected more often than other faults: there are four services to kill, but one Redis to flush.
 */
const REPEATED_FAULTS = ['kill', 'kill', 'kill', 'freeze', 'redis-flush'];
/** Part of every run, even of one that is too short for all faults. */
const REQUIRED_FAULTS = ['kill', 'freeze', 'postgres-restart', 'postgres-read-only', 'redis-full', 'redis-half-open'];
/**
 * A connection to Postgres goes dead, then hang-ups have no effect, then the queue loses its jobs.
 * Only a reconciler whose queries time out still completes the hang-ups.
 */
const COMBINED_FAULTS = [
  { fault: 'postgres-half-open', atMs: 0, durationMs: null },
  { fault: 'provider-no-effect', atMs: 1_500, durationMs: 4_000 },
  { fault: 'redis-flush', atMs: 4_500, durationMs: null },
] as const;

/**
 * Plans the faults of a run, in order of time. The same seed gives the same plan. A full run
 * injects every fault once before it repeats one.
 */
export function planFaults(seed: number, size: RunSize): PlannedFault[] {
  const random = createRandom(seed, 'faults');
  const intervalMs = size.loadMs / (size.faults + 1);
  const planned = chooseFaults(random, size).map((fault, index) => ({
    fault,
    atMs: Math.round((index + 0.5 + random.between(0, 0.8)) * intervalMs),
    target: random.int(1 << 20),
    durationMs: chooseDuration(random, fault),
  }));
  // Target 0 of a link fault is all links.
  const combined = size.combinedFaultTimes.flatMap((share) =>
    COMBINED_FAULTS.map(({ fault, atMs, durationMs }): PlannedFault => ({
      fault: findFault(fault),
      atMs: share * size.loadMs + atMs,
      target: 0,
      durationMs,
    })),
  );
  return [...planned, ...combined].toSorted((a, b) => a.atMs - b.atMs);
}

function chooseFaults(random: Random, size: RunSize): Fault[] {
  if (size.faults < faults.length) {
    const optional = faults.filter(
      ({ name }) => !REQUIRED_FAULTS.includes(name) && !COMBINED_FAULTS.some(({ fault }) => fault === name),
    );
    const chosen = shuffle(random, optional).slice(0, size.faults - REQUIRED_FAULTS.length);
    return shuffle(random, [...REQUIRED_FAULTS.map(findFault), ...chosen]);
  }
  const order: Fault[] = [];
  while (order.length < size.faults) order.push(...shuffle(random, [...faults, ...REPEATED_FAULTS.map(findFault)]));
  return order.slice(0, size.faults);
}

const findFault = (name: string): Fault => faults.find((fault) => fault.name === name)!;

function chooseDuration(random: Random, { name, defaultDurationMs }: Fault): number | null {
  if (defaultDurationMs === null) return null;
  // A frozen process needs its full ten seconds to lose its locks. Restarts take 0 to 2 s, as in
  // DBOS's tests.
  if (name === 'freeze') return defaultDurationMs;
  if (name.endsWith('-restart')) return Math.round(random.between(0, 2_000));
  return Math.round(random.between(0.4, 1.2) * defaultDurationMs);
}

function shuffle<T>(random: Random, list: readonly T[]): T[] {
  const rest = [...list];
  return list.map(() => rest.splice(random.int(rest.length), 1)[0]!);
}
