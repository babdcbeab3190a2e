import type { Stage } from './stage.ts';

/**
 * Plays the rows of the self-hosted provider's guarantee with real processes and real phones.
 * Imported late, since it loads the whole stack.
 */
export const selfHosted: Stage = async (input) => {
  const { proveSelfHosted } = await import('../self-hosted/run.ts');
  const { problems, ...result } = await proveSelfHosted(input);
  const late = result.rows.filter(({ ok }) => !ok);
  return {
    problems: [
      ...late.map(({ name, boundS, measuredS }) =>
        measuredS === null
          ? `${name}: a call was still up after its bound of ${boundS} s`
          : `${name}: a call ended after ${measuredS} s; the bound is ${boundS} s`,
      ),
      ...(result.dialogsAfter > 0 ? [`kamailio has ${result.dialogsAfter} dialogs at the end`] : []),
      ...(result.handlesInUseAfter > 0 ? [`${result.handlesInUseAfter} handles of Janus are in calls at the end`] : []),
      ...(result.failedCalls > 0 ? [`${result.failedCalls} calls failed although nothing was wrong`] : []),
      ...problems,
    ],
    summary: { falseKills: result.falseKills },
    details: { stage: 'self-hosted', ...result },
  };
};
