import { ProviderError, type ProviderFailure } from '@partyline/provider-contract/provider-error';

/**
 * The kind of request, because the same status has different meanings.
 * - `read`: changes nothing, so a 5xx is `busy`, not `unknown`.
 * - `write`: creates or changes something; a 5xx may have taken effect.
 * - `control`: PUT on a call; 400 means that the call is younger than two seconds (contract section
 *   0.14), even for a valid request.
 */
export type RequestKind = 'read' | 'write' | 'control';

/** A reply with a status other than 2xx, from an SDK or from fetch. Internal to this package. */
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

/**
 * Vonage's advice for a call that is too young to be hung up: wait two seconds or more (contract
 * section 0.14).
 */
const YOUNG_CALL_RETRY_MS = 2_000;

interface Row {
  readonly failure: ProviderFailure;
  readonly reason: string;
  readonly message: string;
  readonly retryAfterMs?: number;
}

const CREDENTIALS: Row = {
  failure: 'refused',
  reason: 'upstream-credentials',
  message: 'The provider rejected the credentials of the account.',
};

/** Statuses with a specific meaning; the others are classified by their hundred. */
const BY_STATUS: Readonly<Record<number, Row>> = {
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

const YOUNG_CALL: Row = {
  failure: 'busy',
  reason: 'call-too-young',
  message: 'The provider does not accept this request so soon after the call was created.',
  retryAfterMs: YOUNG_CALL_RETRY_MS,
};
const TIMEOUT: Row = {
  failure: 'unknown',
  reason: 'upstream-timeout',
  message: 'The provider did not answer in time.',
};
const UNREACHABLE: Row = {
  failure: 'busy',
  reason: 'upstream-unreachable',
  message: 'No connection to the provider could be made. The request was not sent.',
};
const RESET: Row = {
  failure: 'unknown',
  reason: 'upstream-reset',
  message: 'The connection was lost before the provider answered.',
};
const BAD_REPLY: Row = {
  failure: 'unknown',
  reason: 'upstream-bad-reply',
  message: 'The reply of the provider cannot be used.',
};
const BAD_ARGUMENTS: Row = {
  failure: 'refused',
  reason: 'upstream-arguments',
  message: "The provider's SDK rejected the arguments. The request was not sent.",
};
const UNEXPLAINED: Row = {
  failure: 'unknown',
  reason: 'upstream-unexplained',
  message: "The provider's SDK failed without a known cause.",
};

function findRowByStatus(status: number, request: RequestKind): Row {
  if (status === 400 && request === 'control') return YOUNG_CALL;
  const named = BY_STATUS[status];
  if (named !== undefined) return named;
  const reason = `upstream-${status}`;
  if (status >= 400 && status < 500)
    return { failure: 'refused', reason, message: 'The provider rejected the request.' };
  if (status >= 500)
    return {
      failure: request === 'read' ? 'busy' : 'unknown',
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

/**
 * Rules for errors that an SDK has converted to text: `dial` and `createSession` of opentok wrap a
 * plain Error around "Error: ...", and 401, 403 and 404 lose their bodies (contract section 0.5).
 * The first match applies. A number is a status; 0 means that the pattern captures it.
 */
const BY_TEXT: readonly (readonly [RegExp, Row | number])[] = [
  [/\b(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)\b/, UNREACHABLE],
  [/\b(?:ECONNRESET|EPIPE|ETIMEDOUT|socket hang up|Premature close|other side closed)\b/, RESET],
  [/Invalid API key or secret/, 401],
  [/\bNot Found\b|(?:Session|Connection) not found/i, 404],
  [/Request failed with status code (\d{3})/, 0],
  [/Unexpected response from OpenTok: .*\b(?:too many requests|rate limit|throttl)/i, 429],
  [/Unexpected response from OpenTok: .*\b(4\d\d|5\d\d)\b/, 0],
  [/^(?:Failed to \S+ ?\S*\. )?(?:Error: )?(?:No (?:session ID|token|SIP URI) given|Invalid arguments)/, BAD_ARGUMENTS],
  [/^(?:Token cannot be generated|Invalid (?:role|expireTime|data|initial layout))/, BAD_ARGUMENTS],
  [/private key|secretOrPrivateKey|application id|DECODER routines|asn1|PEM routines/i, CREDENTIALS],
  [/is not valid JSON|Unexpected (?:token|end of JSON)|Failed to decode response body/, BAD_REPLY],
  [/Cannot read properties of (?:null|undefined)/, BAD_REPLY],
];

function findRowByText(text: string, request: RequestKind): Row | undefined {
  for (const [pattern, meaning] of BY_TEXT) {
    const match = pattern.exec(text);
    if (match === null) continue;
    if (typeof meaning === 'object') return meaning;
    return findRowByStatus(meaning === 0 ? Number(match[1]) : meaning, request);
  }
  return undefined;
}

const field = (value: unknown, name: string): unknown =>
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

const createProviderError = (row: Row, retryMs?: number): ProviderError => {
  const wait = retryMs ?? row.retryAfterMs;
  return new ProviderError(row.failure, row.reason, row.message, wait === undefined ? {} : { retryAfterMs: wait });
};

export const timeoutError = (): ProviderError => createProviderError(TIMEOUT);
export const badReplyError = (): ProviderError => createProviderError(BAD_REPLY);

/**
 * Converts any error of an SDK to a `ProviderError`. The original is not kept as `cause`: it
 * contains the whole request, with the bearer token, the SIP password and the numbers.
 */
export function toProviderError(thrown: unknown, request: RequestKind): ProviderError {
  if (thrown instanceof ProviderError) return thrown;
  // A VetchError has a response, also for a 2xx whose body could not be decoded.
  const status = thrown instanceof StatusError ? thrown : toStatusError(field(thrown, 'response'));
  if (status !== undefined) return createProviderError(findRowByStatus(status.status, request), status.retryAfterMs);
  const name = field(thrown, 'name');
  if (name === 'AbortError' || name === 'TimeoutError') return timeoutError();
  for (const code of [field(thrown, 'code'), field(field(thrown, 'cause'), 'code')]) {
    if (typeof code !== 'string') continue;
    if (NOT_SENT_CODES.has(code)) return createProviderError(UNREACHABLE);
    if (CONNECTION_LOST_CODES.has(code)) return createProviderError(RESET);
  }
  const message = field(thrown, 'message');
  const row = findRowByText(typeof message === 'string' ? message : '', request);
  if (row !== undefined) return createProviderError(row);
  return createProviderError(message === 'fetch failed' ? RESET : UNEXPLAINED);
}
