/** The result of one check of `doctor`. */
export interface Finding {
  /** The name of the check. */
  readonly check: string;
  /** `unknown`: the check could not be made, and `message` states why. */
  readonly state: 'ok' | 'warn' | 'fail' | 'unknown';
  readonly message: string;
  /** The next step, as a sentence. */
  readonly fix?: string;
}

export type ReportFinding = (finding: Finding) => void;
