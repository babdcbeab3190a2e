import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ProviderError, type ProviderFailure } from '@partyline/provider-contract/provider-error';
import { readRetryAfter, StatusError } from '@partyline/provider-contract/http-failure';
import { toProviderError, type RequestKind } from './errors.ts';

/**
 * An error in the form of `@vonage/vetch`, with the response and the whole request as properties.
 */
const vetch = (status: number, headers: Record<string, string> = {}): Error =>
  Object.assign(new Error(`Request failed with status code ${status}`), {
    name: 'VetchError',
    response: new Response('', { status, headers }),
    config: { headers: { Authorization: 'Bearer secret-token' } },
  });
const coded = (code: string): Error =>
  Object.assign(new TypeError('fetch failed'), { cause: Object.assign(new Error('secret-host'), { code }) });
const named = (name: string): Error => Object.assign(new Error('The operation was aborted.'), { name });
/** An error as wrapped by opentok in dial and createSession: only the text remains. */
const wrapped = (text: string): Error => new Error(`Failed to dial endpoint. ${text}`);
const unexpected = (message: string): Error =>
  wrapped(`Error: Unexpected response from OpenTok: "${JSON.stringify({ message })}"`);

type Row = [string, RequestKind, unknown, ProviderFailure, string];

const TABLE: Row[] = [
  ['400', 'write', vetch(400), 'refused', 'upstream-400'],
  ['400 for a call that is too young', 'control', vetch(400), 'busy', 'call-too-young'],
  ['401', 'write', vetch(401), 'refused', 'upstream-credentials'],
  ['403', 'write', vetch(403), 'refused', 'upstream-credentials'],
  ['404', 'control', vetch(404), 'not-found', 'upstream-404'],
  ['408', 'write', vetch(408), 'busy', 'upstream-408'],
  ['409', 'write', vetch(409), 'refused', 'upstream-409'],
  ['413', 'write', vetch(413), 'refused', 'upstream-413'],
  ['422', 'write', vetch(422), 'refused', 'upstream-422'],
  ['429', 'write', vetch(429), 'busy', 'upstream-429'],
  ['500 after a write', 'write', vetch(500), 'unknown', 'upstream-500'],
  ['500 after a control', 'control', vetch(500), 'unknown', 'upstream-500'],
  ['500 after a read', 'read', vetch(500), 'busy', 'upstream-500'],
  ['502', 'write', vetch(502), 'unknown', 'upstream-502'],
  ['503', 'write', vetch(503), 'busy', 'upstream-503'],
  ['504', 'write', vetch(504), 'unknown', 'upstream-504'],
  ['a redirect', 'write', new StatusError(302, undefined), 'unknown', 'upstream-bad-reply'],
  ['a body that cannot be decoded', 'write', vetch(200), 'unknown', 'upstream-bad-reply'],
  ['an abort', 'write', named('AbortError'), 'unknown', 'upstream-timeout'],
  ['a timeout', 'write', named('TimeoutError'), 'unknown', 'upstream-timeout'],
  ['a refused connection', 'write', coded('ECONNREFUSED'), 'busy', 'upstream-unreachable'],
  ['a name that does not resolve', 'write', coded('ENOTFOUND'), 'busy', 'upstream-unreachable'],
  ['a connect timeout', 'write', coded('UND_ERR_CONNECT_TIMEOUT'), 'busy', 'upstream-unreachable'],
  ['a reset', 'write', coded('ECONNRESET'), 'unknown', 'upstream-reset'],
  ['a closed socket', 'write', coded('UND_ERR_SOCKET'), 'unknown', 'upstream-reset'],
  ['fetch failed without a cause', 'write', new TypeError('fetch failed'), 'unknown', 'upstream-reset'],
  [
    'invalid JSON',
    'write',
    new SyntaxError('Unexpected token \'<\', "<html>" is not valid JSON'),
    'unknown',
    'upstream-bad-reply',
  ],
  [
    'a null reply',
    'write',
    new TypeError("Cannot read properties of null (reading '0')"),
    'unknown',
    'upstream-bad-reply',
  ],
  ['opentok: 401 or 403', 'write', wrapped('Error: Invalid API key or secret'), 'refused', 'upstream-credentials'],
  ['opentok: 404', 'write', wrapped('Error: Not Found'), 'not-found', 'upstream-404'],
  ['opentok: 404 of a disconnect', 'write', new Error('Session or Connection not found'), 'not-found', 'upstream-404'],
  ['opentok: a body with a status', 'write', unexpected('409 Conflict'), 'refused', 'upstream-409'],
  ['opentok: a body with a rate limit', 'write', unexpected('Too Many Requests'), 'busy', 'upstream-429'],
  ['opentok: a body without a status', 'write', unexpected('Sorry'), 'unknown', 'upstream-unexplained'],
  [
    'opentok: a refused connection',
    'write',
    wrapped('FetchError: request to http://127.0.0.1:1/ failed, reason: connect ECONNREFUSED 127.0.0.1:1'),
    'busy',
    'upstream-unreachable',
  ],
  [
    'opentok: a reset',
    'write',
    wrapped('FetchError: request to http://127.0.0.1:1/ failed, reason: socket hang up'),
    'unknown',
    'upstream-reset',
  ],
  [
    'opentok: invalid JSON',
    'write',
    wrapped('FetchError: invalid json: Unexpected end of JSON input'),
    'unknown',
    'upstream-bad-reply',
  ],
  ['opentok: invalid arguments', 'write', new Error('No session ID given'), 'refused', 'upstream-arguments'],
  [
    'opentok: a session of another project',
    'read',
    new Error('Token cannot be generated unless the session belongs to the API Key'),
    'refused',
    'upstream-arguments',
  ],
  [
    'jwt: an invalid key',
    'write',
    new Error('secretOrPrivateKey must be an asymmetric key when using RS256'),
    'refused',
    'upstream-credentials',
  ],
  ['an unknown error', 'write', new Error('secret words'), 'unknown', 'upstream-unexplained'],
  ['no error at all', 'write', undefined, 'unknown', 'upstream-unexplained'],
  ['a string', 'write', 'secret words', 'unknown', 'upstream-unexplained'],
];

describe('toProviderError', () => {
  it.each(TABLE)('maps %s (%s)', (_what, request, thrown, failure, reason) => {
    const error = toProviderError(thrown, request);
    expect(error).toBeInstanceOf(ProviderError);
    expect({ failure: error.failure, reason: error.verdict.reason }).toEqual({ failure, reason });
    // The SDKs' errors contain the token, the password and the numbers; none may be kept.
    expect(inspect(error, { depth: 10 })).not.toMatch(/secret/);
  });

  it('returns a ProviderError unchanged', () => {
    const error = new ProviderError('busy', 'call-list-moved', 'moved');
    expect(toProviderError(error, 'read')).toBe(error);
  });

  it('keeps the retry time of the provider', () => {
    expect(toProviderError(vetch(429, { 'retry-after': '7' }), 'write').retryAfterMs).toBe(7_000);
    expect(toProviderError(vetch(503, { 'retry-after': '1.5' }), 'write').retryAfterMs).toBe(1_500);
    expect(toProviderError(vetch(429), 'write').retryAfterMs).toBeUndefined();
    expect(toProviderError(vetch(400), 'control').retryAfterMs).toBe(2_000);
  });

  it.each(['Wed, 21 Oct 2026 07:28:00 GMT', '-5', 'soon', '', null, 5])('readRetryAfter ignores %j', (header) =>
    expect(readRetryAfter(header)).toBeUndefined(),
  );

  it('readRetryAfter returns at most one hour', () => expect(readRetryAfter('999999')).toBe(3_600_000));
});
