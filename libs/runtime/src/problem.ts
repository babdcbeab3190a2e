import { findReason, PROVIDER_REASONS } from '@partyline/domain/reasons';
import { VerdictError, type Outcome, type Verdict } from '@partyline/domain/verdict';

/** An RFC 9457 problem. `type` names the reason; docs/api.md describes each. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly reason: string;
  readonly fix?: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
  /** For a limit that was reached: the limit and the amount used. */
  readonly limit?: number;
  readonly used?: number;
  readonly requestId?: string;
}

/** The status of reasons that are not in the catalogue: those of providers. */
const STATUS_BY_OUTCOME: Readonly<Record<Outcome, number>> = {
  success: 200,
  client: 400,
  server: 500,
  upstream: 502,
  indeterminate: 504,
};

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Not authenticated',
  402: 'Budget exhausted',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  408: 'Request timeout',
  409: 'Conflict',
  410: 'Gone',
  412: 'Precondition failed',
  413: 'Body too large',
  415: 'Unsupported media type',
  422: 'Invalid input',
  429: 'Limit reached',
  431: 'Headers too large',
  500: 'Internal error',
  502: 'Provider error',
  503: 'Temporarily unavailable',
  504: 'No answer from the provider',
};

/** A stored problem, to be answered again unchanged. */
export class StoredProblem extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** The HTTP status of a verdict: of its reason, or else of its outcome. */
export const statusOf = ({ outcome, reason }: Verdict): number =>
  findReason(reason)?.status ?? STATUS_BY_OUTCOME[outcome];

/**
 * The problem for an error. An error without a verdict becomes `internal-error` and reveals no
 * details.
 */
export function toProblem(error: unknown, requestId?: string): Problem {
  if (error instanceof StoredProblem) return error.problem;
  const known =
    error instanceof VerdictError
      ? error
      : new VerdictError('server', 'internal-error', 'An unexpected error occurred on our side.', {
          fix: 'Retry. If the error persists, contact us with the requestId.',
        });
  const { reason } = known.verdict;
  const status = statusOf(known.verdict);
  const errors =
    known.issues ?? (known.field === undefined ? undefined : [{ pointer: known.field, detail: known.message }]);
  return {
    type: `urn:partyline:problem:${reason}`,
    title: TITLES[status] ?? 'Error',
    status,
    detail: known.message,
    reason,
    fix: known.fix ?? findReason(reason)?.action ?? PROVIDER_REASONS.action,
    ...(errors === undefined ? {} : { errors }),
    ...known.use,
    ...(requestId === undefined ? {} : { requestId }),
  };
}
