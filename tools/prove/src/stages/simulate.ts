import { runAll } from '../simulation/worker-pool.ts';
import { ALL_SWEEPS, runSimulation } from '../simulation/run.ts';
import { Totals } from '../simulation/oracle/totals.ts';
import { ASKED, shortOf } from './required-amounts.ts';
import { replayCommand, type Stage, type StageInput } from './stage.ts';

/** Meant for showing that the proof can fail: with it, no sweep runs. */
const reconcilerOff = (): boolean => process.env['PARTYLINE_RECONCILER'] === 'off';
const sweepsNow = () => (reconcilerOff() ? { reconcile: false, inventory: false } : ALL_SWEEPS);

/** Enough to see what is wrong. */
const BROKEN = 20;
/** Slower than this is not slow but stuck. */
const LONGEST_MS = 45 * 60_000;

/** One seed, one day, until all that is asked is done. */
async function manyDays({ seed, quick, log, beside }: StageInput): Promise<Totals> {
  const asked = ASKED[quick ? 'quick' : 'full'];
  const totals = new Totals();
  const start = performance.now();
  let given = 0;
  let told = start;
  const enough = (): boolean =>
    totals.days >= asked.simulatedDays &&
    totals.legs >= asked.simulatedLegs &&
    totals.faultCount >= asked.simulatedFaults;
  await runAll(
    () =>
      enough() || totals.broken.length >= BROKEN || performance.now() - start > LONGEST_MS
        ? null
        : { seed: seed * 100_000 + (given += 1), days: 1, sweeps: sweepsNow() },
    (run) => {
      totals.add(run);
      if (performance.now() - told < 10_000) return;
      told = performance.now();
      log(
        `  simulated: ${totals.days} days, ${totals.legs} legs, ${totals.faultCount} faults, ${totals.broken.length} seeds with trouble`,
      );
    },
    beside === undefined ? {} : { beside },
  );
  return totals;
}

/** Requests a second that the vendor takes of one account, calls that are placed not counted (contract §7). */
const VENDOR_LIMIT = 15;

/** Stage 3: faults, then none; every leg gone within its bound; the same seed twice gives the same trace. */
export const simulate: Stage = async (input) => {
  const { seed, quick, log } = input;
  const twice = [
    await runSimulation({ seed, days: 1, sweeps: sweepsNow() }),
    await runSimulation({ seed, days: 1, sweeps: sweepsNow() }),
  ];
  log(`  same seed, same trace: ${twice.map(({ hash }) => hash).join(' ')}`);
  const totals = await manyDays(input);
  const troubles = [
    ...(await explain(totals, log)),
    ...shortOf(quick, { simulatedDays: totals.days, simulatedLegs: totals.legs, simulatedFaults: totals.faultCount }),
  ];
  if (totals.peakPerSecond > VENDOR_LIMIT)
    troubles.push(
      `I7: ${totals.peakPerSecond} requests in one second at the vendor's account, which takes ${VENDOR_LIMIT}`,
    );
  if (twice[0]!.hash !== twice[1]!.hash) troubles.push('the same seed gave two traces');
  return {
    troubles,
    figures: {
      simulatedDays: totals.days,
      legs: totals.legs,
      faults: totals.faults,
      leakedLegSecondsPastBound: Math.round(totals.leakedLegSeconds),
      falseKills: totals.falseKills,
      hangUpsPerLeg: {
        mean: Math.round((totals.hangUps.asks / Math.max(1, totals.hangUps.legs)) * 1000) / 1000,
        max: totals.hangUps.max,
      },
      hangUpDelayMs: totals.hangUpDelayMs(),
      eventsLost: totals.eventsLost,
      eventsDuplicated: totals.eventsDuplicated,
      billedVsLedgerMaxSeconds: Math.round(totals.billedVsLedgerMaxSeconds * 10) / 10,
    },
    more: {
      killedAfterDataLoss: totals.killedAfterLoss,
      unknowableAfterDataLoss: totals.unknowable,
      peakProviderRequestsPerSecond: totals.peakPerSecond,
    },
  };
};

/** What went wrong, and for the first seeds the command that shows it again and the leg's history. */
async function explain(totals: Totals, log: (line: string) => void): Promise<string[]> {
  const troubles = totals.broken.map(({ seed, says }) => `seed ${seed}: ${says}\n    again: ${replayCommand(seed)}`);
  for (const { seed } of totals.broken.slice(0, 2)) {
    const { histories } = await runSimulation({ seed, days: 1, sweeps: sweepsNow(), history: true });
    for (const history of histories.slice(0, 2)) log(history);
  }
  return troubles;
}

const ARM_DAYS = { quick: 4, full: 25 };
/** As busy as others, for less long. */
export const SHORT_DAY = { meetingsPerDay: 60, openMs: 4_800_000 } as const;

/** Control arms, on the same seeds: without sweeps, and with the database's alone. They must leak, or the simulation cannot see a leak. */
export const controlArms: Stage = async (input) => {
  const days = ARM_DAYS[input.quick ? 'quick' : 'full'];
  const arm = async (what: string, sweeps: { reconcile: boolean; inventory: boolean }) => {
    const totals = new Totals();
    let given = 0;
    await runAll(
      () => (given < days ? { seed: input.seed * 100_000 + (given += 1), days: 1, sweeps, traffic: SHORT_DAY } : null),
      (run) => totals.add(run),
      input.beside === undefined ? {} : { beside: input.beside },
    );
    input.log(`  ${what}: ${totals.leakedLegs} of ${totals.legs} legs leak ${Math.round(totals.leakedLegSeconds)} s`);
    return {
      legs: totals.legs,
      leakedLegs: totals.leakedLegs,
      leakedLegSecondsPastBound: Math.round(totals.leakedLegSeconds),
    };
  };
  const queueOnly = await arm('queue only', { reconcile: false, inventory: false });
  const plusDatabase = await arm('plus database', { reconcile: true, inventory: false });
  const troubles = [
    ...(queueOnly.leakedLegs > 0 ? [] : ['the arm with a queue only does not leak']),
    ...(plusDatabase.leakedLegs > 0 ? [] : ['the arm without the inventory does not leak']),
  ];
  if (queueOnly.leakedLegSecondsPastBound <= plusDatabase.leakedLegSecondsPastBound)
    troubles.push('the arm with a queue only does not leak more than the one with the database beside it');
  return { troubles, figures: { controlArms: { queueOnly, plusDatabase } } };
};

/** How stage `model` runs its small systems. */
export const INTERLEAVED = { fine: true, traffic: { meetingsPerDay: 12, openMs: 900_000, meanMs: 240_000 } } as const;

/** One seed again, with the histories of what went wrong in it. */
export async function replay(
  seed: number,
  planted: string | undefined,
  fine: boolean,
  log: (line: string) => void,
): Promise<boolean> {
  const { mutationNamed } = await import('../simulation/planted-bugs.ts');
  const run = await runSimulation({
    seed,
    days: 1,
    sweeps: sweepsNow(),
    history: true,
    ...(fine ? INTERLEAVED : {}),
    ...(planted === undefined ? {} : { mutation: mutationNamed(planted) }),
  });
  for (const { rule, says, at } of run.violations) log(`${new Date(at).toISOString()} ${rule}: ${says}`);
  for (const history of run.histories) log(`\n${history}`);
  for (const surprise of run.surprises) log(surprise);
  log(`seed ${seed}: ${run.legs} legs, ${run.leakedLegs} leaked, ${run.falseKills} false kills, trace ${run.hash}`);
  return run.violations.length === 0 && run.surprises.length === 0 && run.liveAtEnd === 0;
}
