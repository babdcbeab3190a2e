import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { replay } from './stages/simulate.ts';
import { STAGES, type StageName } from './stages/catalogue.ts';
import type { Figures } from './stages/stage.ts';

const HELP = `npm run prove [-- OPTIONS]

Proves that every leg ends within its bound and that no live leg is cut: the real use-cases on virtual time against a simulated vendor.

  --quick            less of everything, for CI (90 s at most)
  --seed N           which chances to take; default: a new one each time, printed
  --stage NAME       only this one, and it may be given more than once: ${Object.keys(STAGES).join(', ')}
  --replay N         one simulated day again, by the number that a failing run printed, with the histories of its legs
  --planted NAME     with --replay: with that bug planted
  --fine             with --replay: a small system of stage model
  --json             nothing but the last line
  --help             this

The last line is JSON. Exit status 0 only if every bound held. PARTYLINE_RECONCILER=off takes the sweeps away, and the run must fail.`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    seed: { type: 'string' },
    stage: { type: 'string', multiple: true },
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

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

/** Adds a stage's part to the last line: what leaked anywhere leaked. */
function add(figures: Partial<Figures>, part: Partial<Figures>): void {
  const sum: Partial<Figures> = {};
  for (const key of ['leakedLegSecondsPastBound', 'falseKills', 'eventsLost', 'eventsDuplicated'] as const)
    if (part[key] !== undefined) sum[key] = (figures[key] ?? 0) + part[key];
  const billed = [figures.billedVsLedgerMaxSeconds, part.billedVsLedgerMaxSeconds].filter((each) => each !== undefined);
  Object.assign(figures, part, sum, billed.length === 0 ? {} : { billedVsLedgerMaxSeconds: Math.max(...billed) });
}

/** The last line's fields, in its order. */
const FIELDS: readonly (keyof Figures)[] = [
  'simulatedDays',
  'legs',
  'faults',
  'leakedLegSecondsPastBound',
  'falseKills',
  'hangUpsPerLeg',
  'hangUpDelayMs',
  'eventsLost',
  'eventsDuplicated',
  'billedVsLedgerMaxSeconds',
  'plantedBugsCaught',
  'killPoints',
  'controlArms',
];

const BESIDE_REAL: ReadonlySet<StageName> = new Set(['simulation', 'arms', 'planted']);

async function prove(): Promise<boolean> {
  const seed = values.seed === undefined ? Math.floor(Math.random() * 9_000) + 1 : Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0) throw new Error('--seed takes a whole number');
  const names = (values.stage ?? Object.keys(STAGES)) as StageName[];
  for (const name of names)
    if (!(name in STAGES)) throw new Error(`there is no stage "${name}"; there are ${Object.keys(STAGES).join(', ')}`);
  const started = performance.now();
  log(`prove: seed ${seed}${values.quick ? ', quick' : ''}`);
  const figures: Partial<Figures> = {};
  const troubles: string[] = [];
  const play = async (name: StageName, beside?: Promise<unknown>): Promise<void> => {
    const began = performance.now();
    log(`${name} …`);
    try {
      const result = await (
        await STAGES[name]()
      )({ seed, quick: values.quick, log, ...(beside === undefined ? {} : { beside }) });
      add(figures, result.figures);
      if (result.more !== undefined) log(`  ${JSON.stringify(result.more)}`);
      troubles.push(...result.troubles.map((trouble) => `${name}: ${trouble}`));
    } catch (error) {
      troubles.push(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
    log(`${name}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  };
  // Real processes mostly wait: what is simulated in processes of its own runs beside them, and gives way to them.
  const waits = names.includes('real') ? play('real') : undefined;
  const beside = names.filter((name) => BESIDE_REAL.has(name));
  for (const name of beside) await play(name, waits);
  await waits;
  for (const name of names) if (name !== 'real' && !beside.includes(name)) await play(name);
  for (const trouble of troubles) log(`FAILED ${trouble}`);
  log(
    `${troubles.length === 0 ? 'every bound held' : `${troubles.length} troubles`}, ${((performance.now() - started) / 1000).toFixed(0)} s`,
  );
  process.stdout.write(
    `${JSON.stringify({ seed, commit: commit(), ...Object.fromEntries(FIELDS.filter((field) => field in figures).map((field) => [field, figures[field]])) })}\n`,
  );
  return troubles.length === 0;
}

if (values.help) process.stdout.write(`${HELP}\n`);
// Without `exit`, Node's own clean-up turns round and round for ever over a socket of a link that was broken (24.21, Environment::CleanupHandles).
else
  process.exit(
    (await (values.replay === undefined ? prove() : replay(Number(values.replay), values.planted, values.fine, log)))
      ? 0
      : 1,
  );
