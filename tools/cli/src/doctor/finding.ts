/** What one check found. */
export interface Finding {
  readonly what: string;
  /** `unknown`: it could not be looked at, and `says` why. */
  readonly state: 'ok' | 'warn' | 'fail' | 'unknown';
  readonly says: string;
  /** The next step. */
  readonly next?: string;
}

export type Found = (finding: Finding) => void;
