import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { replay } from './stages/simulate.ts';
import { STAGES, type StageName } from './stages/all.ts';

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

/** What the real processes did counts with what the simulated ones did. */
function addReal(figures: Record<string, unknown>): void {
  const real = figures['real'] as Record<string, unknown> | undefined;
  for (const key of ['leakedLegSecondsPastBound', 'falseKills', 'eventsLost', 'eventsDuplicated']) {
    const more = real?.[key];
    if (typeof more === 'number') figures[key] = ((figures[key] as number | undefined) ?? 0) + more;
  }
}

async function prove(): Promise<boolean> {
  const seed = values.seed === undefined ? Math.floor(Math.random() * 9_000) + 1 : Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0) throw new Error('--seed takes a whole number');
  const names = (values.stage ?? Object.keys(STAGES)) as StageName[];
  for (const name of names) if (!(name in STAGES)) throw new Error(`there is no stage "${name}"; there are ${Object.keys(STAGES).join(', ')}`);
  const started = performance.now();
  log(`prove: seed ${seed}${values.quick ? ', quick' : ''}`);
  const figures: Record<string, unknown> = {};
  const troubles: string[] = [];
  for (const name of names) {
    const began = performance.now();
    log(`${name} …`);
    try {
      const result = await (await STAGES[name]())({ seed, quick: values.quick, log });
      Object.assign(figures, result.figures);
      troubles.push(...result.troubles.map((trouble) => `${name}: ${trouble}`));
      if (!result.ok && result.troubles.length === 0) troubles.push(`${name}: failed`);
    } catch (error) {
      troubles.push(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
    log(`${name}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }
  addReal(figures);
  for (const trouble of troubles) log(`FAILED ${trouble}`);
  log(`${troubles.length === 0 ? 'every bound held' : `${troubles.length} troubles`}, ${((performance.now() - started) / 1000).toFixed(0)} s`);
  process.stdout.write(`${JSON.stringify({ seed, commit: commit(), ...figures, ok: troubles.length === 0 })}\n`);
  return troubles.length === 0;
}

if (values.help) process.stdout.write(`${HELP}\n`);
// A simulated world that was left in the middle of a day may go on for ever; what it was for is done.
else process.exit((await (values.replay === undefined ? prove() : replay(Number(values.replay), values.planted, values.fine, log))) ? 0 : 1);
