import {
  BAD_REPLY,
  createProviderError,
  CREDENTIALS,
  failureOfNetwork,
  failureOfStatus,
  field,
  RESET,
  StatusError,
  toStatusError,
  UNREACHABLE,
  type FailureRow,
} from '@partyline/provider-contract/http-failure';
import { ProviderError } from '@partyline/provider-contract/provider-error';

/**
 * The kind of request, because the same status has different meanings.
 * - `read`: changes nothing, so a 5xx is `busy`, not `unknown`.
 * - `write`: creates or changes something; a 5xx may have taken effect.
 * - `control`: PUT on a call; 400 means that the call is younger than two seconds (contract section
 *   0.14), even for a valid request.
 */
export type RequestKind = 'read' | 'write' | 'control';

/**
 * Vonage's advice for a call that is too young to be hung up: wait two seconds or more (contract
 * section 0.14).
 */
const YOUNG_CALL_RETRY_MS = 2_000;

const YOUNG_CALL: FailureRow = {
  failure: 'busy',
  reason: 'call-too-young',
  message: 'The provider does not accept this request so soon after the call was created.',
  retryAfterMs: YOUNG_CALL_RETRY_MS,
};
const BAD_ARGUMENTS: FailureRow = {
  failure: 'refused',
  reason: 'upstream-arguments',
  message: "The provider's SDK rejected the arguments. The request was not sent.",
};
const UNEXPLAINED: FailureRow = {
  failure: 'unknown',
  reason: 'upstream-unexplained',
  message: "The provider's SDK failed without a known cause.",
};

const findRowByStatus = (status: number, request: RequestKind): FailureRow =>
  status === 400 && request === 'control' ? YOUNG_CALL : failureOfStatus(status, request === 'read' ? 'read' : 'write');

/**
 * Rules for errors that an SDK has converted to text: `dial` and `createSession` of opentok wrap a
 * plain Error around "Error: ...", and 401, 403 and 404 lose their bodies (contract section 0.5).
 * The first match applies. A number is a status; 0 means that the pattern captures it.
 */
const BY_TEXT: readonly (readonly [RegExp, FailureRow | number])[] = [
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

function findRowByText(text: string, request: RequestKind): FailureRow | undefined {
  for (const [pattern, meaning] of BY_TEXT) {
    const match = pattern.exec(text);
    if (match === null) continue;
    if (typeof meaning === 'object') return meaning;
    return findRowByStatus(meaning === 0 ? Number(match[1]) : meaning, request);
  }
  return undefined;
}

/**
 * Converts any error of an SDK to a `ProviderError`. The original is not kept as `cause`: it
 * contains the whole request, with the bearer token, the SIP password and the numbers.
 */
export function toProviderError(thrown: unknown, request: RequestKind): ProviderError {
  if (thrown instanceof ProviderError) return thrown;
  // A VetchError has a response, also for a 2xx whose body could not be decoded.
  const status = thrown instanceof StatusError ? thrown : toStatusError(field(thrown, 'response'));
  if (status !== undefined) return createProviderError(findRowByStatus(status.status, request), status.retryAfterMs);
  const network = failureOfNetwork(thrown);
  if (network !== undefined) return createProviderError(network);
  const message = field(thrown, 'message');
  const row = findRowByText(typeof message === 'string' ? message : '', request);
  if (row !== undefined) return createProviderError(row);
  return createProviderError(message === 'fetch failed' ? RESET : UNEXPLAINED);
}
