import type { RealResult } from '../real/report.ts';
import { shortOf } from './required-amounts.ts';
import type { Stage } from './stage.ts';

/** Stage 5: real processes, Postgres and Redis, with real faults. Loaded late, since it needs all of the stack. What leaked there counts with what leaked in the simulation. */
export const real: Stage = async (input) => {
  const { runRealProcesses } = await import('../real/run.ts');
  const { failures, ...found }: RealResult = await runRealProcesses(input);
  const { leakedLegSecondsPastBound, falseKills, eventsLost, eventsDuplicated, billedVsLedgerMaxSeconds } = found;
  const troubles = [...failures, ...shortOf(input.quick, { realFaults: found.faults.total, realLegs: found.legs })];
  return {
    troubles,
    figures: { leakedLegSecondsPastBound, falseKills, eventsLost, eventsDuplicated, billedVsLedgerMaxSeconds },
    more: { real: found },
  };
};
