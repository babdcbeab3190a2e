import { PartylineError } from '@partyline/sdk/error';

/** What the exit code says; docs/cli.md lists them. */
export const EXIT = { ok: 0, server: 1, usage: 2, auth: 3, state: 4, indeterminate: 5, later: 6 } as const;

/** A mistake in how the command was called, with the next step. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly fix: string;
  constructor(message: string, fix: string) {
    super(message);
    this.fix = fix;
  }
}

const BY_STATUS: Readonly<Record<number, number>> = {
  400: EXIT.usage,
  401: EXIT.auth,
  402: EXIT.state,
  403: EXIT.auth,
  404: EXIT.state,
  409: EXIT.state,
  410: EXIT.state,
  412: EXIT.state,
  413: EXIT.usage,
  415: EXIT.usage,
  422: EXIT.usage,
  428: EXIT.state,
  // The provider gave no answer: it may have been done.
  429: EXIT.later,
  504: EXIT.indeterminate,
};

/** The exit code of an error. No answer at all: whether it was done is not known. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (!(error instanceof PartylineError)) return EXIT.server;
  if (error.reason === 'no-answer') return EXIT.indeterminate;
  if (error.reason === 'invalid-options') return EXIT.usage;
  return BY_STATUS[error.status] ?? EXIT.server;
}
