import type { RealResult } from '../real/report.ts';
import { listMissingRealFaults, listShortfalls } from './required-amounts.ts';
import type { Stage } from './stage.ts';

/**
 * Runs real processes, Postgres and Redis with real faults. Imported late, since it loads the whole
 * stack.
 */
export const realProcesses: Stage = async (input) => {
  const { runRealProcesses } = await import('../real/run.ts');
  const { failures, ...result }: RealResult = await runRealProcesses(input);
  const { leakedLegSecondsPastBound, falseKills, eventsLost, eventsDuplicated, billedVsLedgerMaxSeconds } = result;
  return {
    problems: [
      ...failures,
      ...listShortfalls(input.quick, { realFaults: result.faults.total, realLegs: result.legs }),
      ...listMissingRealFaults(input.quick, new Set(result.faults.names)),
    ],
    summary: { leakedLegSecondsPastBound, falseKills, eventsLost, eventsDuplicated, billedVsLedgerMaxSeconds },
    details: { real: result },
  };
};
