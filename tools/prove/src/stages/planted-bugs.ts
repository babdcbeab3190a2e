import { PLANTED_BUGS } from '../simulation/planted-bugs.ts';
import { runInWorkers } from '../simulation/worker-pool.ts';
import { SHORT_DAY_TRAFFIC } from './simulate.ts';
import { replayCommand, type Stage } from './stage.ts';

/** A bug that is not caught on this many seeds counts as not caught. */
const SEED_COUNT = { quick: 10, full: 16 };

/**
 * Runs the simulation with each planted bug. Each bug must break its own rule on one
 * of a few seeds. With the bug's fault probabilities but without the bug, no rule may break.
 */
export const plantedBugs: Stage = async ({ seed, quick, log, priorityTask }) => {
  const seeds = Array.from({ length: SEED_COUNT[quick ? 'quick' : 'full'] }, (_, i) => seed * 100_000 + i + 1);
  const caught = new Set<string>();
  const problems: string[] = [];
  const controls = PLANTED_BUGS.flatMap(({ faultProbabilities }) =>
    faultProbabilities === undefined ? [] : [faultProbabilities],
  );
  const trials = seeds.flatMap((each) => PLANTED_BUGS.map(({ name }) => ({ seed: each, name })));
  const next = () => {
    const faultProbabilities = controls.shift();
    if (faultProbabilities !== undefined)
      return { seed: seeds[0]!, days: 1, faultProbabilities, traffic: SHORT_DAY_TRAFFIC };
    for (let trial = trials.shift(); trial !== undefined; trial = trials.shift())
      if (!caught.has(trial.name))
        return { seed: trial.seed, days: 1, planted: trial.name, traffic: SHORT_DAY_TRAFFIC };
    return null;
  };
  await runInWorkers(
    next,
    (run, { planted }) => {
      if (planted === undefined) {
        problems.push(
          ...run.violations.map(({ rule, message }) => `without the bug, seed ${run.seed}: ${rule}: ${message}`),
        );
        return;
      }
      const { brokenRules } = PLANTED_BUGS.find(({ name }) => name === planted)!;
      // A use-case that throws because of the mutation itself never ran, so the bug was not caught.
      problems.push(
        ...run.unexpectedErrors.map(
          (error) => `"${planted}" does not run: ${error} (${replayCommand(run.seed, planted)})`,
        ),
      );
      const violation = run.violations.find(({ rule }) => brokenRules.includes(rule));
      if (violation === undefined || caught.has(planted)) return;
      caught.add(planted);
      log(`  caught "${planted}" on seed ${run.seed}: ${violation.rule}: ${violation.message.slice(0, 160)}`);
    },
    priorityTask === undefined ? {} : { priorityTask },
  );
  problems.push(
    ...PLANTED_BUGS.filter(({ name }) => !caught.has(name)).map(
      ({ name, brokenRules }) => `the planted bug "${name}" did not break ${brokenRules.join(' or ')}`,
    ),
  );
  return { problems: problems.slice(0, 20), summary: { plantedBugsCaught: caught.size } };
};
