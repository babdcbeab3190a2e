import type { Stage, StageResult } from './stage.ts';

/** What ./real/run.ts gives: figures for the last line, and what went wrong. */
type RunRealProcesses = (input: { seed: number; quick: boolean; log: (line: string) => void }) => Promise<Partial<StageResult> & Record<string, unknown>>;

/** Stage 5: real processes, Postgres and Redis, with real faults. Loaded late, since it needs all of the stack. */
export const real: Stage = async (input) => {
  // By a name that the type checker does not follow: this package must compile before that part is there.
  const path = '../real/run.ts';
  const { runRealProcesses } = (await import(path)) as { runRealProcesses: RunRealProcesses };
  const result = await runRealProcesses(input);
  const { ok, troubles, figures, ...rest } = result;
  return { ok: ok ?? (troubles ?? []).length === 0, troubles: troubles ?? [], figures: { real: figures ?? rest } };
};
