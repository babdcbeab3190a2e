/** What every stage is given. */
export interface StageInput {
  readonly seed: number;
  readonly quick: boolean;
  readonly log: (line: string) => void;
  /** What runs at the same time and must not be starved. */
  readonly beside?: Promise<unknown>;
}

/** What a stage found out: its part of the last line, what else is worth printing, and what went wrong; it held when nothing did. */
interface StageResult {
  readonly figures: Partial<Figures>;
  readonly more?: Readonly<Record<string, unknown>>;
  readonly troubles: readonly string[];
}

export type Stage = (input: StageInput) => Promise<StageResult>;

interface Delay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}
interface Arm {
  readonly legs: number;
  readonly leakedLegs: number;
  readonly leakedLegSecondsPastBound: number;
}

/** The last line, beside the seed and the commit. */
export interface Figures {
  simulatedDays: number;
  legs: number;
  /** By class. */
  faults: Readonly<Record<string, number>>;
  leakedLegSecondsPastBound: number;
  falseKills: number;
  hangUpsPerLeg: { readonly mean: number; readonly max: number };
  /** By class of fault. */
  hangUpDelayMs: Readonly<Record<string, Delay>>;
  eventsLost: number;
  eventsDuplicated: number;
  billedVsLedgerMaxSeconds: number;
  plantedBugsCaught: number;
  killPoints: string;
  controlArms: { readonly queueOnly: Arm; readonly plusDatabase: Arm };
}

/** How to see one seed again. */
export const replayCommand = (seed: number, planted?: string): string =>
  `npm run prove -- --replay ${seed}${planted === undefined ? '' : ` --planted "${planted}"`}`;
