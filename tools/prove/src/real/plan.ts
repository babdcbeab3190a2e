import { faults, type Fault } from '@partyline/dev/faults/faults';
import { openRandom, type Random } from '../simulation/runtime/random.ts';

/** How a session comes to its end. */
type Ending = 'tenant' | 'browsers-left' | 'alone' | 'empty' | 'deadline';

/** One room, and who meets in it. */
export interface Party {
  readonly name: string;
  /** Milliseconds after the load begins. */
  readonly atMs: number;
  readonly tenant: number;
  readonly bridge: 'auto' | 'always';
  readonly browsers: number;
  readonly callers: number;
  readonly rung: number;
  /** How long they stay together once they are in. */
  readonly stayMs: number;
  readonly ending: Ending;
  /** One of them hangs up half-way. */
  readonly oneLeaves: boolean;
  /** Somebody rings the number and never keys anything. */
  readonly silentCaller: boolean;
}

export interface PlannedFault {
  readonly fault: Fault;
  readonly atMs: number;
  /** Which of the targets that are free then: this, modulo their number. */
  readonly target: number;
  readonly forMs: number | null;
}

/** How large a run is. */
export interface Size {
  readonly loadMs: number;
  readonly parties: number;
  /** Beside the trios. */
  readonly faults: number;
  /** When trios are played, as shares of the load's time. */
  readonly trios: readonly number[];
  /** A party begins no later than this before the load ends, so that it comes to its end by itself. */
  readonly lastStartMs: number;
  readonly longestStayMs: number;
  readonly endings: readonly Ending[];
  /** How often the provider's inventory is compared: scaled down, to fit into the run (reliability.md: 60 s). */
  readonly inventoryMs: number;
}

export const FULL: Size = {
  loadMs: 145_000,
  parties: 112,
  faults: 64,
  trios: [0.2, 0.5, 0.8],
  lastStartMs: 12_000,
  longestStayMs: 14_000,
  endings: ['tenant', 'tenant', 'browsers-left', 'browsers-left', 'alone', 'empty', 'deadline'],
  inventoryMs: 10_000,
};
export const QUICK: Size = {
  loadMs: 18_000,
  parties: 17,
  faults: 7,
  trios: [0.35],
  lastStartMs: 7_000,
  longestStayMs: 5_000,
  endings: ['tenant', 'browsers-left', 'alone', 'empty'],
  inventoryMs: 5_000,
};

/** The shortest that the API takes as a session's longest. */
export const DEADLINE_MS = 60_000;
const TENANTS = 3;

/** Who meets when, the same for the same seed. */
export function planParties(seed: number, size: Size): Party[] {
  const random = openRandom(seed, 'parties');
  return Array.from({ length: size.parties }, (_, at): Party => {
    const atMs = Math.round((at / size.parties) * (size.loadMs - size.lastStartMs));
    const wanted = random.pick(size.endings);
    // One that is to run into its deadline must begin early enough to get there.
    const ending = wanted === 'deadline' && atMs > size.loadMs - DEADLINE_MS - 5_000 ? 'tenant' : wanted;
    const browsers = ending === 'browsers-left' || random.chance(0.8) ? 1 + random.int(2) : 0;
    const callers =
      ending === 'browsers-left' || browsers === 0 ? 1 + random.int(3) : random.int(3) + (random.chance(0.5) ? 1 : 0);
    return {
      name: `Party ${at + 1}`,
      atMs,
      ending,
      browsers,
      callers,
      tenant: random.int(TENANTS),
      bridge: random.chance(0.7) ? 'auto' : 'always',
      // Who was rung stays: nobody would be alone.
      rung: random.chance(0.4) && ending !== 'alone' && ending !== 'empty' ? 1 : 0,
      stayMs: Math.round(random.between(1_000, size.longestStayMs)),
      oneLeaves: random.chance(0.25),
      silentCaller: random.chance(0.05),
    };
  });
}

/** There are four services to kill, and one Redis to flush. */
const MORE_OFTEN = ['kill', 'kill', 'kill', 'freeze', 'redis-flush'];
/** What a run that is too short for all must still have, beside its trio. */
const ALWAYS = ['kill', 'freeze', 'postgres-restart'];
/**
 * Whoever waits for Postgres on a connection that has gone dead waits for ever unless it has a limit of its own; then hang-ups do not bite;
 * then the queue forgets that they are owed. Only a reconciler that is still at work knows.
 */
const TRIO = [
  { fault: 'postgres-half-open', atMs: 0, forMs: null },
  { fault: 'provider-no-effect', atMs: 1_500, forMs: 4_000 },
  { fault: 'redis-flush', atMs: 4_500, forMs: null },
] as const;

/** What breaks when, the same for the same seed: every fault once before any comes again. */
export function planFaults(seed: number, size: Size): PlannedFault[] {
  const random = openRandom(seed, 'faults');
  const every = size.loadMs / (size.faults + 1);
  const planned = chosen(random, size).map((fault, at) => ({
    fault,
    atMs: Math.round((at + 0.5 + random.between(0, 0.8)) * every),
    target: random.int(1 << 20),
    forMs: lasts(random, fault),
  }));
  // The first target of a link is all of them.
  const trios = size.trios.flatMap((share) =>
    TRIO.map(({ fault, atMs, forMs }): PlannedFault => ({
      fault: named(fault),
      atMs: share * size.loadMs + atMs,
      target: 0,
      forMs,
    })),
  );
  return [...planned, ...trios].toSorted((one, other) => one.atMs - other.atMs);
}

function chosen(random: Random, size: Size): Fault[] {
  if (size.faults < faults.length) {
    const others = faults.filter(({ name }) => !ALWAYS.includes(name) && !TRIO.some(({ fault }) => fault === name));
    return shuffled(random, [...ALWAYS.map(named), ...shuffled(random, others).slice(0, size.faults - ALWAYS.length)]);
  }
  const order: Fault[] = [];
  while (order.length < size.faults) order.push(...shuffled(random, [...faults, ...MORE_OFTEN.map(named)]));
  return order.slice(0, size.faults);
}

const named = (name: string): Fault => faults.find((fault) => fault.name === name)!;

function lasts(random: Random, { name, defaultDurationMs: lastsMs }: Fault): number | null {
  if (lastsMs === null) return null;
  // A zombie needs its ten seconds; DBOS's shape for what stops: 0 to 2 s.
  if (name === 'freeze') return lastsMs;
  if (name.endsWith('-restart')) return Math.round(random.between(0, 2_000));
  return Math.round(random.between(0.4, 1.2) * lastsMs);
}

function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const rest = [...list];
  return list.map(() => rest.splice(random.int(rest.length), 1)[0]!);
}

export const tenantCount = TENANTS;
