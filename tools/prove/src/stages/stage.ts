export interface StageInput {
  readonly seed: number;
  readonly quick: boolean;
  /** Only rows whose name contains this text are played, by stage `self-hosted`. */
  readonly row?: string;
  readonly log: (line: string) => void;
  /** A task that runs at the same time and has priority over this stage. */
  readonly priorityTask?: Promise<unknown>;
}

/** The outcome of a stage. It passed if `problems` is empty. */
export interface StageResult {
  /** The stage's part of the summary. */
  readonly summary: Partial<Summary>;
  /** Printed as JSON, in addition to the summary. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly problems: readonly string[];
}

export type Stage = (input: StageInput) => Promise<StageResult>;

interface DelayPercentiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}
interface ArmResult {
  readonly legs: number;
  readonly leakedLegs: number;
  readonly leakedLegSecondsPastBound: number;
}

/** What the calls of real phones did. */
interface SelfHostedSummary {
  /** The rows of the guarantee that were played. */
  readonly rows: number;
  /** The calls that were placed. */
  readonly calls: number;
  /** By row: the latest end of a call, null if one was still up, and its bound. In seconds. */
  readonly slowestEndS: Readonly<Record<string, { readonly measuredS: number | null; readonly boundS: number }>>;
  readonly callsUpAfter: number;
  readonly dialogsAfter: number;
  readonly handlesInUseAfter: number;
  /** What this machine could not play. */
  readonly skipped: readonly string[];
}

/** The last line of the output, besides the seed and the commit. */
export interface Summary {
  simulatedDays: number;
  legs: number;
  /** By class. */
  faults: Readonly<Record<string, number>>;
  leakedLegSecondsPastBound: number;
  falseKills: number;
  hangUpsPerLeg: { readonly mean: number; readonly max: number };
  /** By class of fault. */
  hangUpDelayMs: Readonly<Record<string, DelayPercentiles>>;
  eventsLost: number;
  eventsDuplicated: number;
  billedVsLedgerMaxSeconds: number;
  plantedBugsCaught: number;
  /** Recovered and tried, e.g. `130/130`. */
  killPoints: string;
  selfHosted: SelfHostedSummary;
  controlArms: { readonly queueOnly: ArmResult; readonly plusDatabase: ArmResult };
}

/** The command that runs one seed again. */
export const replayCommand = (seed: number, planted?: string): string =>
  `npm run prove -- --replay ${seed}${planted === undefined ? '' : ` --planted "${planted}"`}`;
