import { tellStory } from '../simulation/kill-points.ts';
import { shortOf } from './required-amounts.ts';
import type { Stage } from './stage.ts';

/** Quick takes every fourth; which ones goes by the seed. */
const STEP = { quick: 4, full: 1 };

/** Stage 6: a crash at every seam call of create, answer, dial, bridge, end and hang-up, before it acts and after; each recovers. */
export const killPoints: Stage = async ({ seed, quick, log }) => {
  const step = STEP[quick ? 'quick' : 'full'];
  const whole = await tellStory(seed, null);
  const troubles = whole.wrong.map((wrong) => `without a crash: ${wrong}`);
  const all = whole.points;
  const chosen = all.filter((_, i) => i % step === seed % step);
  log(`  ${all.length} points in the story, ${chosen.length} to be tried`);
  let recovered = 0;
  for (const point of chosen) {
    const { wrong, killed } = await tellStory(seed, point);
    if (killed !== null && wrong.length === 0) recovered += 1;
    else
      troubles.push(
        `${point.process} killed ${point.when} call ${point.number} (${point.label}): ${wrong[0] ?? 'was not reached'}`,
      );
  }
  return {
    troubles: [...shortOf(quick, { killPoints: chosen.length }), ...troubles.slice(0, 20)],
    figures: { killPoints: `${recovered}/${chosen.length}` },
  };
};
