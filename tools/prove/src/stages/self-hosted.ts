import type { SelfHostedResult } from '../self-hosted/run.ts';
import type { Stage, StageResult } from './stage.ts';

/**
 * Plays the rows of the self-hosted provider's guarantee with real processes and real phones.
 * Imported late, since it loads the whole stack.
 */
export const selfHosted: Stage = async (input) => {
  const { proveSelfHosted } = await import('../self-hosted/run.ts');
  return judgeSelfHosted(await proveSelfHosted(input));
};

/** Returns what a run breaks, and its figures. */
export function judgeSelfHosted({ problems, ...result }: SelfHostedResult): StageResult {
  const { rows, falseKills, calls, failedCalls, callsUpAfter, dialogsAfter, handlesInUseAfter, skipped } = result;
  const late = rows.filter(({ ok }) => !ok);
  return {
    problems: [
      ...late.map(({ name, boundS, measuredS }) =>
        measuredS === null
          ? `${name}: a call was still up after its bound of ${boundS} s`
          : `${name}: a call ended after ${measuredS} s; the bound is ${boundS} s`,
      ),
      ...(dialogsAfter > 0 ? [`kamailio has ${dialogsAfter} dialogs at the end`] : []),
      ...(handlesInUseAfter > 0 ? [`${handlesInUseAfter} handles of Janus are in calls at the end`] : []),
      ...(failedCalls > 0 ? [`${failedCalls} calls failed although nothing was wrong`] : []),
      ...problems,
    ],
    summary: {
      falseKills,
      selfHosted: {
        rows: rows.length,
        calls,
        slowestEndS: Object.fromEntries(rows.map(({ name, boundS, measuredS }) => [name, { measuredS, boundS }])),
        callsUpAfter,
        dialogsAfter,
        handlesInUseAfter,
        skipped,
      },
    },
    details: { stage: 'self-hosted', ...result },
  };
}
