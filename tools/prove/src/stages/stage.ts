/** What every stage is given. */
export interface StageInput {
  readonly seed: number;
  readonly quick: boolean;
  readonly log: (line: string) => void;
}

/** What a stage found out: whether every bound held, its part of the last line, and what went wrong. */
export interface StageResult {
  readonly ok: boolean;
  readonly figures: Readonly<Record<string, unknown>>;
  readonly troubles: readonly string[];
}

export type Stage = (input: StageInput) => Promise<StageResult>;

/** How to see one seed again. */
export const replayCommand = (seed: number, planted?: string): string => `npm run prove -- --replay ${seed}${planted === undefined ? '' : ` --planted "${planted}"`}`;
