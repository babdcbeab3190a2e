import type { RealResult } from '../real/run.ts';
import type { Stage } from './stage.ts';

/** Stage 5: real processes, Postgres and Redis, with real faults. Loaded late, since it needs all of the stack. */
export const real: Stage = async (input) => {
  const { runRealProcesses } = await import('../real/run.ts');
  const { failures, ...found }: RealResult = await runRealProcesses(input);
  return { ok: failures.length === 0, troubles: failures, figures: { real: found } };
};
