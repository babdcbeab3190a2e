import { PLANTED } from '../simulation/planted-bugs.ts';
import { runAll } from '../simulation/worker-pool.ts';
import { SHORT_DAY } from './simulate.ts';
import { replayCommand, type Stage } from './stage.ts';

/** A bug that was not seen on so many seeds is not seen at all. */
const SEEDS = { quick: 10, full: 16 };

/** Stage 4: each of the twelve bugs must break its own rule on one of a few seeds, in weather in which nothing is broken without it. */
export const plantedBugs: Stage = async ({ seed, quick, log, beside }) => {
  const seeds = Array.from({ length: SEEDS[quick ? 'quick' : 'full'] }, (_, i) => seed * 100_000 + i + 1);
  const caught = new Map<string, string>();
  const troubles: string[] = [];
  const healthy = PLANTED.flatMap(({ name, chances }) => (chances === undefined ? [] : [{ name, chances }]));
  const tries = seeds.flatMap((each) => PLANTED.map(({ name }) => ({ seed: each, name })));
  const next = () => {
    const whole = healthy.shift();
    if (whole !== undefined) return { seed: seeds[0]!, days: 1, chances: whole.chances, traffic: SHORT_DAY };
    for (let each = tries.shift(); each !== undefined; each = tries.shift())
      if (!caught.has(each.name)) return { seed: each.seed, days: 1, planted: each.name, traffic: SHORT_DAY };
    return null;
  };
  await runAll(
    next,
    (run, { planted }) => {
      if (planted === undefined) {
        troubles.push(...run.violations.map(({ rule, says }) => `without the bug, seed ${run.seed}: ${rule}: ${says}`));
        return;
      }
      const { breaks } = PLANTED.find(({ name }) => name === planted)!;
      // A use-case that breaks down over the bug's own doing has not been caught; it never ran.
      troubles.push(
        ...run.surprises.map(
          (surprise) => `"${planted}" does not run: ${surprise} (${replayCommand(run.seed, planted)})`,
        ),
      );
      const seen = run.violations.find(({ rule }) => breaks.includes(rule));
      if (seen === undefined || caught.has(planted)) return;
      caught.set(planted, seen.says);
      log(`  caught "${planted}" on seed ${run.seed}: ${seen.rule}: ${seen.says.slice(0, 160)}`);
    },
    beside === undefined ? {} : { beside },
  );
  troubles.push(
    ...PLANTED.filter(({ name }) => !caught.has(name)).map(
      ({ name, breaks }) => `the planted bug "${name}" was not seen to break ${breaks.join(' or ')}`,
    ),
  );
  return { troubles: troubles.slice(0, 20), figures: { plantedBugsCaught: caught.size } };
};
