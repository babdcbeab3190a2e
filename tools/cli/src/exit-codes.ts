import { PartylineError } from '@partyline/sdk/error';

/** Exit codes of the process; docs/cli.md lists them. */
export const EXIT = { ok: 0, failed: 1, usage: 2, auth: 3, conflict: 4, indeterminate: 5, rateLimited: 6 } as const;

/** The command line or its input is wrong; `fix` states the next step. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly fix: string;
  constructor(message: string, fix: string) {
    super(message);
    this.fix = fix;
  }
}

/** The command failed and has said why; the process ends with this code. */
export class CommandFailedError extends Error {
  override readonly name = 'CommandFailedError';
  readonly exitCode: number;
  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

const EXIT_BY_STATUS: Readonly<Record<number, number>> = {
  400: EXIT.usage,
  401: EXIT.auth,
  402: EXIT.conflict,
  403: EXIT.auth,
  404: EXIT.conflict,
  409: EXIT.conflict,
  410: EXIT.conflict,
  412: EXIT.conflict,
  413: EXIT.usage,
  415: EXIT.usage,
  422: EXIT.usage,
  428: EXIT.conflict,
  429: EXIT.rateLimited,
  431: EXIT.usage,
  // The provider sent no response, so the outcome is unknown.
  504: EXIT.indeterminate,
};

/** Maps an error to the exit code; without any response the outcome is indeterminate. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (!(error instanceof PartylineError)) return EXIT.failed;
  if (error.reason === 'no-answer') return EXIT.indeterminate;
  if (error.reason === 'invalid-options') return EXIT.usage;
  return EXIT_BY_STATUS[error.status] ?? EXIT.failed;
}
