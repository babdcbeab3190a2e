import type { ProviderReason, Reason } from './reasons.ts';

/** Which party caused an outcome. `indeterminate` counts as ours, never as the caller's. */
export const OUTCOMES = ['success', 'client', 'server', 'upstream', 'indeterminate'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** How an operation ended: an outcome, and a machine-readable reason in kebab case. */
export interface Verdict {
  readonly outcome: Outcome;
  readonly reason: string;
}

export const verdict = (outcome: Outcome, reason: string): Verdict => ({ outcome, reason });

export interface Issue {
  readonly pointer: string;
  readonly detail: string;
}

/**
 * An error with a verdict. Thrown where the error occurs; its reason decides the HTTP status
 * (reasons.ts). `field` is a JSON pointer into the request, `fix` a sentence with the next step.
 * Neither may hold a secret, a PIN or a phone number.
 */
export class VerdictError extends Error {
  readonly verdict: Verdict;
  readonly field: string | undefined;
  readonly fix: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** All invalid fields, when there is more than one, each with its JSON pointer. */
  readonly issues: readonly Issue[] | undefined;
  /** For a limit that was reached: the limit and the amount used. */
  readonly use: { readonly limit: number; readonly used: number } | undefined;

  constructor(
    outcome: Outcome,
    reason: Reason | ProviderReason,
    message: string,
    more: {
      field?: string;
      fix?: string;
      retryAfterMs?: number;
      issues?: readonly Issue[];
      use?: { limit: number; used: number };
      cause?: unknown;
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'VerdictError';
    this.verdict = verdict(outcome, reason);
    this.field = more.field;
    this.fix = more.fix;
    this.retryAfterMs = more.retryAfterMs;
    this.issues = more.issues;
    this.use = more.use;
  }
}
