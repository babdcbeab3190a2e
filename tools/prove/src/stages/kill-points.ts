import { runKillScenario } from '../simulation/kill-points.ts';
import { listShortfalls } from './required-amounts.ts';
import type { Stage } from './stage.ts';

/** A quick run tries every fourth kill point. The seed selects which ones. */
const STEP_SIZE = { quick: 4, full: 1 };

/**
 * Kills the calling process at every seam call of create, answer, dial, bridge, end and hang-up,
 * once before and once after the call takes effect. Each run must recover.
 */
export const killPoints: Stage = async ({ seed, quick, log }) => {
  const step = STEP_SIZE[quick ? 'quick' : 'full'];
  const undisturbed = await runKillScenario(seed, null);
  const problems = undisturbed.problems.map((problem) => `without a crash: ${problem}`);
  const all = undisturbed.points;
  const chosen = all.filter((_, i) => i % step === seed % step);
  log(`  ${all.length} kill points in the scenario, ${chosen.length} selected`);
  let recovered = 0;
  for (const point of chosen) {
    const { problems: found, killed } = await runKillScenario(seed, point);
    if (killed !== null && found.length === 0) recovered += 1;
    else
      problems.push(
        `${point.process} killed ${point.when} call ${point.number} (${point.label}): ` +
          (found[0] ?? 'the kill point was not reached'),
      );
  }
  return {
    problems: [...listShortfalls(quick, { killPoints: chosen.length }), ...problems.slice(0, 20)],
    summary: { killPoints: `${recovered}/${chosen.length}` },
  };
};
