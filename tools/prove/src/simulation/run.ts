import { FaultSchedule } from './fault-schedule.ts';
import type { Mutation } from './mutation.ts';
import { Oracle, type Judgement } from './oracle/oracle.ts';
import type { FaultProbabilities } from './provider/fault-profile.ts';
import { createRandom } from './runtime/random.ts';
import type { Sweeps } from './sweeps.ts';
import { System } from './system.ts';
import { DEFAULT_TRAFFIC, Workload, type Traffic } from './workload.ts';

export interface RunOptions {
  readonly seed: number;
  readonly days: number;
  readonly sweeps?: Sweeps;
  readonly traffic?: Partial<Traffic>;
  /** Names of the faults of the schedule. Default: all. Empty: no schedule. */
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
  /** The hash of the trace. */
  readonly hash: string;
  readonly events: number;
  readonly days: number;
  readonly faults: Readonly<Record<string, number>>;
  /** How often something was used that only the self-hosted provider has, by name. */
  readonly uses: Readonly<Record<string, number>>;
  readonly unexpectedErrors: readonly string[];
  /** Ledger entries that are live at the end and that the platform can know. */
  readonly liveAtEnd: number;
  readonly peakPerSecond: number;
  /** Histories of the first violations, if the run keeps them. */
  readonly histories: readonly string[];
}

export const ALL_SWEEPS: Sweeps = { reconcile: true, inventory: true };
/** The time without faults at the end of a run. Longer than any bound. */
const LIVENESS_MS = 400_000;
const DAY_MS = 86_400_000;
const MAX_HISTORIES = 6;

/**
 * Simulates `days` with faults (safety), then ends every meeting and continues without faults
 * (liveness), and judges the run.
 */
export async function runSimulation({
  seed,
  days,
  sweeps = ALL_SWEEPS,
  traffic = {},
  faults,
  faultProbabilities,
  mutation,
  keepHistory = false,
  yieldAfterEvents = false,
  isFineGrained = false,
}: RunOptions): Promise<RunResult> {
  // Use-cases throw thousands of verdicts. Their stack traces would take most of the time.
  if (!keepHistory) Error.stackTraceLimit = 0;
  const system = new System({
    seed,
    sweeps,
    keepHistory,
    yieldAfterEvents,
    isFineGrained,
    faultProbabilities: { ...mutation?.faultProbabilities, ...faultProbabilities },
    ...(mutation === undefined ? {} : { mutation }),
    // Every fourth day is at our own gateways. A planted bug may need a bridge leg.
    isSelfHosted: mutation === undefined ? seed % 4 === 3 : (mutation.isSelfHosted ?? false),
  });
  const fullTraffic: Traffic = { ...DEFAULT_TRAFFIC, ...traffic };
  const workload = new Workload(system, fullTraffic);
  const oracle = new Oracle(system, workload);
  const schedule = new FaultSchedule(system, faults);
  const { scheduler } = system;
  system.database.keepCommitsMs = 4_000;
  workload.start(days);
  if (faults?.length !== 0)
    schedule.start(createRandom(seed, 'fault gap').pick([60_000, 180_000, 600_000]), fullTraffic.openMs);
  await scheduler.run(scheduler.now + days * DAY_MS);
  schedule.stop();
  workload.close();
  await scheduler.run(scheduler.now + LIVENESS_MS);
  const judgement = oracle.judge(schedule.episodes);
  const histories = keepHistory
    ? judgement.violations
        .slice(0, MAX_HISTORIES)
        .map(({ entryId, message, rule }) => `${rule}: ${message}\n${formatHistory(system, entryId)}`)
    : [];
  return {
    ...judgement,
    seed,
    days,
    hash: (scheduler.hash >>> 0).toString(16),
    events: scheduler.count,
    faults: system.faultProfile.counts,
    uses: system.ledger.uses,
    unexpectedErrors: system.unexpectedErrors.map(describeError),
    liveAtEnd: oracle.countKnownLive(),
    peakPerSecond: system.restApi.peakPerSecond,
    histories,
  };
}

const describeError = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? String(error)).split('\n').slice(0, 6).join('\n') : JSON.stringify(error);

/** The history of a ledger entry at the provider, and the rows of its leg. */
function formatHistory(system: System, entryId: string | null): string {
  const entry = entryId === null ? undefined : system.ledger.byId.get(entryId);
  if (entry === undefined) return '  (no ledger entry)';
  const lines = [
    ...(entry.history ?? []),
    ...(entry.peer?.history ?? []).map((line) => `${line} [other handle]`),
  ].toSorted();
  const rows = [...system.database.tables.legs.values()].filter(
    (leg) => leg.voice_call_id === entry.id || leg.media_connection_id === entry.id || leg.id === entry.legId,
  );
  return [
    ...lines.map((line) => `  ${line}`),
    `  faults: ${[...(entry.faults ?? [])].join(', ') || 'none'}`,
    ...rows.map((row) => `  row ${JSON.stringify(row)}`),
  ].join('\n');
}
