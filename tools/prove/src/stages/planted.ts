import { PLANTED } from '../simulation/planted.ts';
import { runAll } from '../simulation/pool.ts';
import { SHORT_DAY } from './simulate.ts';
import type { Stage } from './stage.ts';

/** A bug that was not seen on so many seeds is not seen at all. */
const SEEDS = { quick: 10, full: 16 };

/** Stage 4: each of the twelve bugs must show on one of a few seeds. */
export const plantedBugs: Stage = async ({ seed, quick, log }) => {
  const seeds = SEEDS[quick ? 'quick' : 'full'];
  const caught = new Map<string, string>();
  const tries = Array.from({ length: seeds }, (_, i) => seed * 100_000 + i + 1).flatMap((each) => PLANTED.map(({ name }) => ({ seed: each, name })));
  const next = () => {
    for (let each = tries.shift(); each !== undefined; each = tries.shift()) if (!caught.has(each.name)) return { seed: each.seed, days: 1, planted: each.name, traffic: SHORT_DAY };
    return null;
  };
  await runAll(next, (run, { planted }) => {
    const [first] = [...run.violations.map(({ rule, says }) => `${rule}: ${says}`), ...run.surprises, ...(run.liveAtEnd > 0 ? ['legs are up at the end'] : [])];
    if (first === undefined || caught.has(planted!)) return;
    caught.set(planted!, first);
    log(`  caught "${planted!}" on seed ${run.seed}: ${first.slice(0, 160)}`);
  });
  const missed = PLANTED.filter(({ name }) => !caught.has(name)).map(({ name }) => `the planted bug "${name}" was not caught`);
  return { ok: missed.length === 0, troubles: missed, figures: { plantedBugsCaught: caught.size } };
};
