import type { Mutation } from './mutation.ts';
import { FaultSchedule } from './fault-schedule.ts';
import { Oracle, type Judgement } from './oracle/oracle.ts';
import { createRandom } from './runtime/random.ts';
import { System } from './system.ts';
import type { Sweeps } from './sweeps.ts';
import type { FaultProbabilities } from './provider/fault-profile.ts';
import { DEFAULT_TRAFFIC, Workload, type Traffic } from './workload.ts';

export interface RunOptions {
  readonly seed: number;
  readonly days: number;
  readonly sweeps?: Sweeps;
  readonly traffic?: Partial<Traffic>;
  readonly faults?: readonly string[];
  readonly faultProbabilities?: Partial<FaultProbabilities>;
  readonly mutation?: Mutation;
  readonly keepHistory?: boolean;
  readonly yieldAfterEvents?: boolean;
  /** Every statement is an event of its own. */
  readonly isFineGrained?: boolean;
}

export interface RunResult extends Judgement {
  readonly seed: number;
  readonly hash: string;
  readonly events: number;
  readonly days: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly unexpectedErrors: readonly string[];
  readonly liveAtEnd: number;
  readonly peakPerSecond: number;
  readonly counted: Readonly<Record<string, number>>;
  /** Of the first legs in trouble, when history is kept. */
  readonly histories: readonly string[];
}

export const ALL_SWEEPS: Sweeps = { reconcile: true, inventory: true };
/** After the last fault: longer than any bound. */
const LIVENESS_MS = 400_000;
const DAY_MS = 86_400_000;

/** One seed: so many days of faults (safety), then none and everything told to end (liveness), then the verdict. */
export async function runSimulation({
  seed,
  days,
  sweeps = ALL_SWEEPS,
  traffic = {},
  faults,
  faultProbabilities: chances,
  mutation,
  keepHistory: history = false,
  yieldAfterEvents: yielding = false,
  isFineGrained: fine = false,
}: RunOptions): Promise<RunResult> {
  // Use-cases throw verdicts by the thousand; their stacks cost more than all the rest.
  if (!history) Error.stackTraceLimit = 0;
  const busy: Traffic = { ...DEFAULT_TRAFFIC, ...traffic };
  const system = new System({
    seed,
    sweeps,
    keepHistory: history,
    yieldAfterEvents: yielding,
    isFineGrained: fine,
    faultProbabilities: { ...mutation?.faultProbabilities, ...chances },
    ...(mutation === undefined ? {} : { mutation }),
  });
  const world = new Workload(system, busy);
  const oracle = new Oracle(system, world);
  const storm = new FaultSchedule(system, faults);
  const { scheduler } = system;
  system.database.keepCommitsMs = 4_000;
  world.start(days);
  if (faults?.length !== 0) storm.start(createRandom(seed, 'climate').pick([60_000, 180_000, 600_000]), busy.openMs);
  const start = scheduler.now;
  await scheduler.run(start + days * DAY_MS);
  storm.stop();
  world.close();
  await scheduler.run(scheduler.now + LIVENESS_MS);
  const judgement = oracle.judge(storm.episodes);
  const inTrouble = judgement.violations
    .slice(0, 6)
    .map(({ entryId: entry, message: says, rule }) => `${rule}: ${says}\n${formatHistory(system, entry)}`);
  return {
    ...judgement,
    seed,
    days,
    hash: (scheduler.hash >>> 0).toString(16),
    events: scheduler.count,
    faults: system.faultProfile.counts,
    unexpectedErrors: system.unexpectedErrors.map(describeError),
    liveAtEnd: oracle.countKnownLive(),
    peakPerSecond: system.restApi.peakPerSecond,
    counted: system.counted,
    histories: history ? inTrouble : [],
  };
}

const describeError = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? String(error)).split('\n').slice(0, 6).join('\n') : JSON.stringify(error);

/** A leg's life as the vendor saw it, and its row. */
function formatHistory(system: System, id: string | null): string {
  const entry = id === null ? undefined : system.ledger.byId.get(id);
  if (entry === undefined) return '  (no ledger entry)';
  const { tables } = system.database;
  const lines = [
    ...(entry.history ?? []),
    ...(entry.peer?.history ?? []).map((line) => `${line} [other side]`),
  ].toSorted();
  const rows = [...tables.legs.values()].filter(
    (leg) => leg.voice_call_id === entry.id || leg.media_connection_id === entry.id || leg.id === entry.legId,
  );
  return [
    ...lines.map((line) => `  ${line}`),
    `  touched by ${[...(entry.faults ?? [])].join(', ') || 'nothing'}`,
    ...rows.map((row) => `  row ${JSON.stringify(row)}`),
  ].join('\n');
}
