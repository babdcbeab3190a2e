import { VerdictError, type Outcome } from '@partyline/domain/verdict';

/** An RFC 9457 problem. `type` names the reason; docs/api.md has a line for each. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly reason: string;
  readonly fix?: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
  /** Of a limit that was reached. */
  readonly limit?: number;
  readonly used?: number;
  readonly requestId?: string;
}

/** The one place where reasons become HTTP: what is not named here goes by its outcome. */
export const STATUS: Readonly<Record<string, number>> = {
  'missing-key': 401,
  'unknown-key': 401,
  'expired-key': 401,
  'webhook-rejected': 401,
  'webhook-replayed': 401,
  'spend-limit': 402,
  'scope-missing': 403,
  'destination-not-allowed': 403,
  'destination-premium': 403,
  'scope-exceeded': 403,
  'tenant-suspended': 403,
  'room-not-found': 404,
  'session-not-found': 404,
  'participant-not-found': 404,
  'pin-not-found': 404,
  'number-not-found': 404,
  'tenant-not-found': 404,
  'key-not-found': 404,
  'endpoint-not-found': 404,
  'delivery-not-found': 404,
  'provider-account-not-found': 404,
  'route-not-found': 404,
  'method-not-allowed': 405,
  'room-ended': 409,
  'room-full': 409,
  'room-not-open': 409,
  'external-id-taken': 409,
  'number-in-use': 409,
  'number-exists': 409,
  'number-has-rooms': 409,
  'too-many-pins': 409,
  'participant-not-connected': 409,
  'not-supported': 409,
  'event-expired': 410,
  'version-mismatch': 412,
  'tenant-not-suspended': 409,
  'tenant-has-legs': 409,
  'provider-account-gone': 409,
  'provider-account-in-use': 409,
  'provider-account-changed': 409,
  'too-many-provider-accounts': 409,
  'application-taken': 409,
  'application-in-use': 409,
  'tenant-has-numbers': 409,
  'key-inactive': 409,
  'last-admin-key': 409,
  'too-many-keys': 409,
  'too-many-endpoints': 409,
  'endpoint-disabled': 409,
  'body-too-large': 413,
  'wrong-media-type': 415,
  'invalid-body': 422,
  'invalid-query': 422,
  'not-e164': 422,
  'not-a-number': 422,
  'unknown-number': 422,
  'currency-without-rates': 422,
  'number-not-dedicated': 422,
  'invalid-schedule': 422,
  'idempotency-key-reused': 409,
  'idempotency-in-progress': 409,
  'invalid-idempotency-key': 422,
  'url-rejected': 422,
  'provider-account-rejected': 422,
  'provider-account-differs': 422,
  'too-many-streams': 429,
  'rate-limited': 429,
  'limit-live-rooms': 429,
  'limit-live-legs': 429,
  'limit-dial-outs': 429,
  'fraud-limit': 429,
  stopping: 503,
  'no-numbers': 503,
  'accounts-not-configured': 503,
  'master-key-missing': 503,
  'provider-unreachable': 503,
  paced: 503,
  'provider-no-answer': 504,
  'temporarily-unavailable': 503,
};
const BY_OUTCOME: Readonly<Record<Outcome, number>> = {
  success: 200,
  client: 400,
  server: 500,
  upstream: 502,
  indeterminate: 504,
};

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Not authenticated',
  402: 'Nothing left to spend',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  409: 'Conflict',
  410: 'Gone',
  412: 'Changed meanwhile',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Invalid input',
  429: 'Too much',
  500: 'Our fault',
  502: 'The provider refused',
  503: 'Not available now',
  504: 'The provider gave no answer',
};

/** A problem that was given before, to be given again as it was. */
export class GivenProblem extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** What a client is shown of an error. An error that is no verdict is ours, and shows nothing of its insides. */
export function toProblem(error: unknown, requestId?: string): Problem {
  if (error instanceof GivenProblem) return error.problem;
  const known =
    error instanceof VerdictError
      ? error
      : new VerdictError('server', 'internal-error', 'Something went wrong on our side.', {
          fix: 'Try again; if it stays, give us the request id.',
        });
  const { outcome, reason } = known.verdict;
  const status = STATUS[reason] ?? BY_OUTCOME[outcome];
  const errors =
    known.issues ?? (known.field === undefined ? undefined : [{ pointer: known.field, detail: known.message }]);
  return {
    type: `urn:partyline:problem:${reason}`,
    title: TITLES[status] ?? 'Error',
    status,
    detail: known.message,
    reason,
    ...(known.fix === undefined ? {} : { fix: known.fix }),
    ...(errors === undefined ? {} : { errors }),
    ...known.use,
    ...(requestId === undefined ? {} : { requestId }),
  };
}
