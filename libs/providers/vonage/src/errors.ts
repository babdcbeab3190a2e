import { ProviderError, type ProviderFailure } from '@partyline/provider-contract/provider-error';

/**
 * What was asked, because the same reply means different things.
 * - `read`: asking changes nothing, so a 5xx leaves nothing in doubt: it is `busy`, not `unknown`.
 * - `write`: makes or changes something; a 5xx may have done it.
 * - `control`: PUT on a call; its 400 means "younger than two seconds, ask again" (contract section 0.14), even for a well-formed request.
 */
export type RequestKind = 'read' | 'write' | 'control';

/** A reply that is not 2xx, from whichever SDK or fetch it came. Internal to this folder. */
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

/** Vendor advice for a call that is too young to be hung up: wait two seconds or more (contract section 0.14). */
const YOUNG_CALL_RETRY_MS = 2_000;

interface Row {
  readonly failure: ProviderFailure;
  readonly reason: string;
  readonly message: string;
  readonly retryAfterMs?: number;
}

const CREDENTIALS: Row = {
  failure: 'refused',
  reason: 'vendor-credentials',
  message: 'The vendor refused the account’s credentials.',
};

/** One row per status that says something of its own; the rest go by their hundred. */
const BY_STATUS: Readonly<Record<number, Row>> = {
  401: CREDENTIALS,
  403: CREDENTIALS,
  404: { failure: 'not-found', reason: 'vendor-404', message: 'The vendor does not know it.' },
  408: { failure: 'busy', reason: 'vendor-408', message: 'The vendor gave up waiting for the request.' },
  409: {
    failure: 'refused',
    reason: 'vendor-409',
    message: 'The vendor refused: the session is not in a state for it (not routed).',
  },
  429: { failure: 'busy', reason: 'vendor-429', message: 'The vendor’s rate limit is used up.' },
  503: { failure: 'busy', reason: 'vendor-503', message: 'The vendor is not available.' },
};

const YOUNG_CALL: Row = {
  failure: 'busy',
  reason: 'call-too-young',
  message: 'The vendor does not take this so soon after the call was made.',
  retryAfterMs: YOUNG_CALL_RETRY_MS,
};
const TIMEOUT: Row = { failure: 'unknown', reason: 'vendor-timeout', message: 'The vendor did not answer in time.' };
const UNREACHABLE: Row = {
  failure: 'busy',
  reason: 'vendor-unreachable',
  message: 'No connection to the vendor could be made; the request never left.',
};
const RESET: Row = {
  failure: 'unknown',
  reason: 'vendor-reset',
  message: 'The connection broke before the vendor answered.',
};
const BAD_REPLY: Row = {
  failure: 'unknown',
  reason: 'vendor-bad-reply',
  message: 'The vendor answered with something that is no usable reply.',
};
const BAD_ARGUMENTS: Row = {
  failure: 'refused',
  reason: 'vendor-arguments',
  message: 'The vendor’s SDK refused the arguments; nothing was sent.',
};
const UNEXPLAINED: Row = {
  failure: 'unknown',
  reason: 'vendor-unexplained',
  message: 'The vendor’s SDK failed without saying how.',
};

function findRowByStatus(status: number, request: RequestKind): Row {
  if (status === 400 && request === 'control') return YOUNG_CALL;
  const named = BY_STATUS[status];
  if (named !== undefined) return named;
  const reason = `vendor-${status}`;
  if (status >= 400 && status < 500) return { failure: 'refused', reason, message: 'The vendor refused the request.' };
  if (status >= 500) return { failure: request === 'read' ? 'busy' : 'unknown', reason, message: 'The vendor failed.' };
  return BAD_REPLY;
}

/** Connections that were never made: nothing left, so nothing was done. */
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
 * What is left of an error when an SDK has turned it into text: `dial` and `createSession` of opentok wrap a plain Error around
 * "Error: …", and 401/403/404 lose their bodies (contract section 0.5). First match wins.
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
  [
    /is not valid JSON|Unexpected (?:token|end of JSON)|Failed to decode response body|Cannot read properties of (?:null|undefined)/,
    BAD_REPLY,
  ],
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

/** A `Retry-After` in seconds. A date is not understood: the vendor's clock is not ours. Capped at an hour. */
export function readRetryAfter(header: unknown): number | undefined {
  if (typeof header !== 'string' || !/^\d{1,6}(?:\.\d+)?$/.test(header.trim())) return undefined;
  return Math.min(Number(header) * 1_000, 3_600_000);
}

/** The status and `Retry-After` of anything shaped like a fetch response, if it is one. */
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
 * Whatever an SDK threw, called back with, or rejected with, as a `ProviderError`.
 * The original is not kept as `cause`: the SDKs' errors hold the whole request, with the bearer token, the SIP password and the numbers.
 */
export function toProviderError(thrown: unknown, request: RequestKind): ProviderError {
  if (thrown instanceof ProviderError) return thrown;
  // a VetchError carries its response, also for a 2xx whose body could not be decoded
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
