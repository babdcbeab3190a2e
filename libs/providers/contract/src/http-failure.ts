import { ProviderError, type ProviderFailure } from './provider-error.ts';

/** `read`: changes nothing, so a 5xx is `busy`, not `unknown`. `write`: a 5xx may have taken effect. */
export type RequestEffect = 'read' | 'write';

/** A reply with a status other than 2xx, from an SDK or from fetch. */
export class StatusError extends Error {
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(status: number, retryAfterMs: number | undefined) {
    super(`status ${status}`);
    this.name = 'StatusError';
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The meaning of a failed request. */
export interface FailureRow {
  readonly failure: ProviderFailure;
  readonly reason: string;
  readonly message: string;
  readonly retryAfterMs?: number;
}

export const CREDENTIALS: FailureRow = {
  failure: 'refused',
  reason: 'upstream-credentials',
  message: 'The provider rejected the credentials of the account.',
};

/** Statuses with a specific meaning; the others are classified by their hundred. */
const BY_STATUS: Readonly<Record<number, FailureRow>> = {
  401: CREDENTIALS,
  403: CREDENTIALS,
  404: { failure: 'not-found', reason: 'upstream-404', message: 'The provider does not know this id.' },
  408: { failure: 'busy', reason: 'upstream-408', message: 'The provider timed out while waiting for the request.' },
  409: {
    failure: 'refused',
    reason: 'upstream-409',
    message: 'The provider rejected the request: the session does not support it (not routed).',
  },
  429: { failure: 'busy', reason: 'upstream-429', message: "The provider's rate limit is exceeded." },
  503: { failure: 'busy', reason: 'upstream-503', message: 'The provider is not available.' },
};

const TIMEOUT: FailureRow = {
  failure: 'unknown',
  reason: 'upstream-timeout',
  message: 'The provider did not answer in time.',
};
export const UNREACHABLE: FailureRow = {
  failure: 'busy',
  reason: 'upstream-unreachable',
  message: 'No connection to the provider could be made. The request was not sent.',
};
export const RESET: FailureRow = {
  failure: 'unknown',
  reason: 'upstream-reset',
  message: 'The connection was lost before the provider answered.',
};
export const BAD_REPLY: FailureRow = {
  failure: 'unknown',
  reason: 'upstream-bad-reply',
  message: 'The reply of the provider cannot be used.',
};

/** Returns the meaning of a reply with a status other than 2xx. */
export function failureOfStatus(status: number, effect: RequestEffect): FailureRow {
  const named = BY_STATUS[status];
  if (named !== undefined) return named;
  const reason = `upstream-${status}`;
  if (status >= 400 && status < 500)
    return { failure: 'refused', reason, message: 'The provider rejected the request.' };
  if (status >= 500)
    return {
      failure: effect === 'read' ? 'busy' : 'unknown',
      reason,
      message: 'The provider failed to process the request.',
    };
  return BAD_REPLY;
}

/** Codes of connections that were never made: the request was not sent and had no effect. */
const NOT_SENT_CODES = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const CONNECTION_LOST_CODES = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ERR_STREAM_PREMATURE_CLOSE',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** Reads a property of any value. */
export const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;

/**
 * Parses a `Retry-After` in seconds, at most one hour. Returns milliseconds. A date is not
 * accepted, because the provider's clock can differ from ours.
 */
export function readRetryAfter(header: unknown): number | undefined {
  if (typeof header !== 'string' || !/^\d{1,6}(?:\.\d+)?$/.test(header.trim())) return undefined;
  return Math.min(Number(header) * 1_000, 3_600_000);
}

/** Reads the status and `Retry-After` of a value that has the shape of a fetch response. */
export function toStatusError(response: unknown): StatusError | undefined {
  const status = field(response, 'status');
  if (typeof status !== 'number') return undefined;
  const headers = field(response, 'headers') as { get?: (name: string) => string | null } | undefined;
  return new StatusError(
    status,
    readRetryAfter(typeof headers?.get === 'function' ? headers.get('retry-after') : undefined),
  );
}

/** Creates the error of a failed request; `retryMs` is the time that the provider named. */
export const createProviderError = (row: FailureRow, retryMs?: number): ProviderError => {
  const wait = retryMs ?? row.retryAfterMs;
  return new ProviderError(row.failure, row.reason, row.message, wait === undefined ? {} : { retryAfterMs: wait });
};

export const timeoutError = (): ProviderError => createProviderError(TIMEOUT);
export const badReplyError = (): ProviderError => createProviderError(BAD_REPLY);

/**
 * Returns the meaning of an error of fetch or of the network; `undefined` for any other error. The
 * error itself must not become a `cause`: it can contain the whole request.
 */
export function failureOfNetwork(thrown: unknown): FailureRow | undefined {
  const name = field(thrown, 'name');
  if (name === 'AbortError' || name === 'TimeoutError') return TIMEOUT;
  for (const code of [field(thrown, 'code'), field(field(thrown, 'cause'), 'code')]) {
    if (typeof code !== 'string') continue;
    if (NOT_SENT_CODES.has(code)) return UNREACHABLE;
    if (CONNECTION_LOST_CODES.has(code)) return RESET;
  }
  return undefined;
}
