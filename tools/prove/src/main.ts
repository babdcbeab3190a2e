import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { STAGES, type StageName } from './stages/catalogue.ts';
import { replaySeed } from './stages/simulate.ts';
import type { Summary } from './stages/stage.ts';

const STAGE_NAMES = Object.keys(STAGES).join(', ');
const HELP = `npm run prove [-- OPTIONS]

Proves that every leg ends within its bound and that no live leg is hung up by mistake.
Runs the real use-cases on virtual time against a simulated provider, and real processes with real faults.

  --quick          a smaller run for CI, 90 s at most
  --seed N         the seed of all randomness (default: random, printed at the start)
  --stage NAME     run only this stage; repeatable: ${STAGE_NAMES}
                   self-hosted runs only if it is selected: kamailio, Janus and SIP phones, downloaded once
  --row TEXT       with --stage self-hosted: play only the rows whose name contains this text
  --replay N       repeat one simulated day with the seed that a failed run printed, with the histories of its legs
  --planted NAME   with --replay: plant this bug
  --fine           with --replay: use a small system of stage model
  --json           print only the summary, and what failed on the standard error
  --help           print this help

The last line of the output is a JSON summary. The exit status is 0 only if every bound held.
PARTYLINE_RECONCILER=off disables the sweeps; the run must then fail.`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    seed: { type: 'string' },
    stage: { type: 'string', multiple: true },
    row: { type: 'string' },
    replay: { type: 'string' },
    planted: { type: 'string' },
    fine: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const log = (line: string): void => {
  if (!values.json) process.stdout.write(`${line}\n`);
};

function readCommit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

/** Adds a stage's part to the summary. Leaks, false kills and events of all stages are added up. */
function mergeSummary(summary: Partial<Summary>, part: Partial<Summary>): void {
  const sum: Partial<Summary> = {};
  for (const key of ['leakedLegSecondsPastBound', 'falseKills', 'eventsLost', 'eventsDuplicated'] as const)
    if (part[key] !== undefined) sum[key] = (summary[key] ?? 0) + part[key];
  const billed = [summary.billedVsLedgerMaxSeconds, part.billedVsLedgerMaxSeconds].filter((each) => each !== undefined);
  Object.assign(summary, part, sum, billed.length === 0 ? {} : { billedVsLedgerMaxSeconds: Math.max(...billed) });
}

/** The summary's fields in their order. */
const SUMMARY_FIELDS = Object.keys({
  simulatedDays: 0,
  legs: 0,
  faults: 0,
  leakedLegSecondsPastBound: 0,
  falseKills: 0,
  hangUpsPerLeg: 0,
  hangUpDelayMs: 0,
  eventsLost: 0,
  eventsDuplicated: 0,
  billedVsLedgerMaxSeconds: 0,
  plantedBugsCaught: 0,
  killPoints: 0,
  selfHosted: 0,
  controlArms: 0,
} satisfies Record<keyof Summary, 0>) as (keyof Summary)[];

/** Stages that run only if they are selected: they need programs that are downloaded. */
const SELECTED_ONLY: ReadonlySet<string> = new Set<StageName>(['self-hosted']);

/** Stages that run at the same time as stage `real`. */
const STAGES_BESIDE_REAL: ReadonlySet<StageName> = new Set(['simulation', 'arms', 'planted']);

/** Runs the selected stages and prints the summary. Returns whether every bound held. */
async function prove(): Promise<boolean> {
  const seed = values.seed === undefined ? Math.floor(Math.random() * 9_000) + 1 : Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0) throw new Error('--seed must be a whole number, 0 or greater');
  const names = (values.stage ?? Object.keys(STAGES).filter((name) => !SELECTED_ONLY.has(name))) as StageName[];
  for (const name of names)
    if (!(name in STAGES)) throw new Error(`--stage "${name}" does not exist. Use one of: ${STAGE_NAMES}`);
  const startedAt = performance.now();
  log(`prove: seed ${seed}${values.quick ? ', quick' : ''}`);
  const summary: Partial<Summary> = {};
  const problems: string[] = [];
  const runStage = async (name: StageName, priorityTask?: Promise<unknown>): Promise<void> => {
    const stageStartedAt = performance.now();
    log(`${name} ...`);
    try {
      const stage = await STAGES[name]();
      const result = await stage({
        seed,
        quick: values.quick,
        log,
        ...(values.row === undefined ? {} : { row: values.row }),
        ...(priorityTask === undefined ? {} : { priorityTask }),
      });
      mergeSummary(summary, result.summary);
      if (result.details !== undefined) log(`  ${JSON.stringify(result.details)}`);
      problems.push(...result.problems.map((problem) => `${name}: ${problem}`));
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
    log(`${name}: ${((performance.now() - stageStartedAt) / 1000).toFixed(1)} s`);
  };
  // Real processes mostly wait. The simulations run beside them, at a lower priority.
  const real = names.includes('real') ? runStage('real') : undefined;
  const beside = names.filter((name) => STAGES_BESIDE_REAL.has(name));
  for (const name of beside) await runStage(name, real);
  await real;
  for (const name of names) if (name !== 'real' && !beside.includes(name)) await runStage(name);
  for (const problem of problems) (values.json ? process.stderr : process.stdout).write(`FAILED ${problem}\n`);
  const verdict = problems.length === 0 ? 'every bound held' : `problems: ${problems.length}`;
  log(`${verdict}, ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
  const fields = SUMMARY_FIELDS.filter((field) => field in summary).map((field) => [field, summary[field]]);
  process.stdout.write(`${JSON.stringify({ seed, commit: readCommit(), ...Object.fromEntries(fields) })}\n`);
  return problems.length === 0;
}

if (values.help) process.stdout.write(`${HELP}\n`);
else {
  const passed = await (values.replay === undefined
    ? prove()
    : replaySeed(Number(values.replay), values.planted, values.fine, log));
  // Without exit, Node 24.21 loops forever on the socket of a broken link (CleanupHandles).
  process.exit(passed ? 0 : 1);
}
