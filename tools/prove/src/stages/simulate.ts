import { Totals } from '../simulation/oracle/totals.ts';
import { ALL_SWEEPS, runSimulation } from '../simulation/run.ts';
import { runInWorkers } from '../simulation/worker-pool.ts';
import { listMissingSimulatedFaults, listMissingUses, listShortfalls, REQUIRED_AMOUNTS } from './required-amounts.ts';
import { replayCommand, type Stage, type StageInput } from './stage.ts';

/** PARTYLINE_RECONCILER=off turns all sweeps off, to show that the proof can fail. */
const isReconcilerOff = (): boolean => process.env['PARTYLINE_RECONCILER'] === 'off';
const enabledSweeps = () => (isReconcilerOff() ? { reconcile: false, inventory: false } : ALL_SWEEPS);

/** The stage stops after this many failed seeds. */
const MAX_FAILED_SEEDS = 20;
/** A run that needs longer is stuck. */
const MAX_DURATION_MS = 45 * 60_000;
const PROGRESS_INTERVAL_MS = 10_000;

/** Simulates one day per seed until the required amounts are reached. */
async function simulateDays({ seed, quick, log, priorityTask }: StageInput): Promise<Totals> {
  const required = REQUIRED_AMOUNTS[quick ? 'quick' : 'full'];
  const totals = new Totals();
  const startedAt = performance.now();
  let seedCount = 0;
  let loggedAt = startedAt;
  const isEnough = (): boolean =>
    totals.days >= required.simulatedDays &&
    totals.legs >= required.simulatedLegs &&
    totals.faultCount >= required.simulatedFaults;
  await runInWorkers(
    () =>
      isEnough() || totals.failedSeeds.length >= MAX_FAILED_SEEDS || performance.now() - startedAt > MAX_DURATION_MS
        ? null
        : { seed: seed * 100_000 + (seedCount += 1), days: 1, sweeps: enabledSweeps() },
    (run) => {
      const failed = totals.add(run);
      if (failed !== null) log(`  FAILED seed ${run.seed}: ${failed}`);
      if (performance.now() - loggedAt < PROGRESS_INTERVAL_MS) return;
      loggedAt = performance.now();
      const { days, legs, faultCount, failedSeeds } = totals;
      log(`  ${days} days, ${legs} legs, ${faultCount} faults simulated; ${failedSeeds.length} seeds failed`);
    },
    priorityTask === undefined ? {} : { priorityTask },
  );
  return totals;
}

/**
 * Requests that the provider accepts from one account, without call creation (provider contract,
 * section 7).
 */
const MAX_PROVIDER_REQUESTS_PER_SECOND = 15;

/**
 * Simulates days with faults, then a period without. Every leg must end within its bound. The same
 * seed must give the same trace.
 */
export const simulate: Stage = async (input) => {
  const { seed, quick, log } = input;
  const repeated = [
    await runSimulation({ seed, days: 1, sweeps: enabledSweeps() }),
    await runSimulation({ seed, days: 1, sweeps: enabledSweeps() }),
  ];
  log(`  traces of the same seed: ${repeated.map(({ hash }) => hash).join(' ')}`);
  const totals = await simulateDays(input);
  const { days: simulatedDays, legs: simulatedLegs, faultCount: simulatedFaults } = totals;
  const problems = [
    ...(await explainFailures(totals, log)),
    ...listShortfalls(quick, { simulatedDays, simulatedLegs, simulatedFaults }),
    ...listMissingSimulatedFaults(quick, totals.faults),
    ...listMissingUses(quick, totals.uses),
  ];
  if (totals.peakPerSecond > MAX_PROVIDER_REQUESTS_PER_SECOND)
    problems.push(
      `I7: ${totals.peakPerSecond} requests in one second at one provider account, ` +
        `which accepts ${MAX_PROVIDER_REQUESTS_PER_SECOND}`,
    );
  if (repeated[0]!.hash !== repeated[1]!.hash) problems.push('one seed gave two different traces');
  const { legs, attempts, max } = totals.hangUps;
  return {
    problems,
    summary: {
      simulatedDays: totals.days,
      legs: totals.legs,
      faults: totals.faults,
      leakedLegSecondsPastBound: Math.round(totals.leakedLegSeconds),
      falseKills: totals.falseKills,
      hangUpsPerLeg: { mean: Math.round((attempts / Math.max(1, legs)) * 1000) / 1000, max },
      hangUpDelayMs: totals.hangUpDelayMs(),
      eventsLost: totals.eventsLost,
      eventsDuplicated: totals.eventsDuplicated,
      billedVsLedgerMaxSeconds: Math.round(totals.billedVsLedgerMaxSeconds * 10) / 10,
    },
    details: {
      killsAfterDataLoss: totals.killsAfterDataLoss,
      unknowableConnectionsAfterDataLoss: totals.unknowableConnections,
      peakProviderRequestsPerSecond: totals.peakPerSecond,
      lostToDeadline: totals.lostToDeadline,
      selfHosted: totals.uses,
    },
  };
};

/**
 * Lists the failed seeds with the command that repeats each, and logs histories of the first two.
 */
async function explainFailures(totals: Totals, log: (line: string) => void): Promise<string[]> {
  for (const { seed } of totals.failedSeeds.slice(0, 2)) {
    const { histories } = await runSimulation({ seed, days: 1, sweeps: enabledSweeps(), keepHistory: true });
    for (const history of histories.slice(0, 2)) log(history);
  }
  return totals.failedSeeds.map(
    ({ seed, message }) => `seed ${seed}: ${message}\n    to repeat: ${replayCommand(seed)}`,
  );
}

const ARM_DAYS = { quick: 4, full: 10 };
/** As busy as a full day, but shorter. */
export const SHORT_DAY_TRAFFIC = { meetingsPerDay: 60, openMs: 4_800_000 } as const;

/**
 * Control arms on the seeds of the simulation: without any sweep, and without the inventory. Both
 * must leak legs; otherwise the simulation could not detect a leak.
 */
export const controlArms: Stage = async (input) => {
  const days = ARM_DAYS[input.quick ? 'quick' : 'full'];
  const runArm = async (name: string, sweeps: { reconcile: boolean; inventory: boolean }) => {
    const totals = new Totals();
    let seedCount = 0;
    await runInWorkers(
      () =>
        seedCount < days
          ? { seed: input.seed * 100_000 + (seedCount += 1), days: 1, sweeps, traffic: SHORT_DAY_TRAFFIC }
          : null,
      (run) => totals.add(run),
      input.priorityTask === undefined ? {} : { priorityTask: input.priorityTask },
    );
    const { legs, leakedLegs } = totals;
    const leakedLegSecondsPastBound = Math.round(totals.leakedLegSeconds);
    input.log(`  ${name}: ${leakedLegs} of ${legs} legs leaked, ${leakedLegSecondsPastBound} s in total`);
    return { legs, leakedLegs, leakedLegSecondsPastBound };
  };
  const queueOnly = await runArm('queue only', { reconcile: false, inventory: false });
  const plusDatabase = await runArm('queue and reconciler', { reconcile: true, inventory: false });
  const problems: string[] = [];
  if (queueOnly.leakedLegs === 0) problems.push('no leg leaked without the sweeps');
  if (plusDatabase.leakedLegs === 0) problems.push('no leg leaked without the inventory');
  if (queueOnly.leakedLegSecondsPastBound <= plusDatabase.leakedLegSecondsPastBound)
    problems.push('the queue alone did not leak more than the queue with the reconciler');
  return { problems, summary: { controlArms: { queueOnly, plusDatabase } } };
};

/** The options of the small systems of stage `model`. */
export const SMALL_SYSTEM = {
  isFineGrained: true,
  traffic: { meetingsPerDay: 12, openMs: 900_000, meanMs: 240_000 },
} as const;

/**
 * Runs one seed again and logs its violations with the histories of their legs. Returns whether it
 * passed.
 */
export async function replaySeed(
  seed: number,
  planted: string | undefined,
  isFineGrained: boolean,
  log: (line: string) => void,
): Promise<boolean> {
  const { findPlantedBug } = await import('../simulation/planted-bugs.ts');
  const run = await runSimulation({
    seed,
    days: 1,
    sweeps: enabledSweeps(),
    keepHistory: true,
    ...(isFineGrained ? SMALL_SYSTEM : {}),
    ...(planted === undefined ? {} : { mutation: findPlantedBug(planted) }),
  });
  for (const { rule, message, at } of run.violations) log(`${new Date(at).toISOString()} ${rule}: ${message}`);
  for (const history of run.histories) log(`\n${history}`);
  for (const error of run.unexpectedErrors) log(error);
  log(`seed ${seed}: ${run.legs} legs, ${run.leakedLegs} leaked, ${run.falseKills} false kills, trace ${run.hash}`);
  return run.violations.length === 0 && run.unexpectedErrors.length === 0 && run.liveAtEnd === 0;
}
