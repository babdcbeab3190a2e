import { createHash, createHmac, createSign, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RefusedCallback } from './callback.ts';
import { createCallbackVerifier } from './signature.ts';

const SECRET = 'the-secret-that-holds-now-0123456789';
const OLD = 'the-secret-of-the-rotation-0123456789';
const API_KEY = 'acc12345';
const APPLICATION = 'a1b2c3d4-0000-4000-8000-000000000001';
const NOW = new Date('2026-11-21T12:00:00.000Z');
const IAT = NOW.getTime() / 1_000;
const BODY = Buffer.from('{"uuid":"u","status":"answered"}');

const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const sha256 = (body: Buffer): string => createHash('sha256').update(body).digest('hex');
const CLAIMS = {
  iat: IAT,
  jti: 'jti-1',
  iss: 'Vonage',
  payload_hash: sha256(BODY),
  api_key: API_KEY,
  application_id: APPLICATION,
};

interface Forged {
  readonly claims?: object;
  readonly header?: unknown;
  readonly secret?: string;
  readonly payload?: string;
}

function token({ claims = {}, header = { alg: 'HS256', typ: 'JWT' }, secret = SECRET, payload }: Forged = {}): string {
  const signed = `${part(header)}.${payload ?? part({ ...CLAIMS, ...claims })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

const verify = createCallbackVerifier({
  secrets: [SECRET, OLD],
  issuer: 'Vonage',
  apiKey: API_KEY,
  applicationId: APPLICATION,
  applicationRequired: true,
});
const check = (authorization: string | undefined, rawBody: Buffer = BODY): unknown =>
  verify({ authorization, rawBody }, NOW);
const bearer = (forged?: Forged): string => `Bearer ${token(forged)}`;

function rs256(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(CLAIMS)}`;
  return `Bearer ${signed}.${createSign('RSA-SHA256').update(signed).sign(privateKey, 'base64url')}`;
}

/** JSON has no infinity, but a number that is too large is parsed as one. */
const infinite = (claim: string): string =>
  JSON.stringify({ ...CLAIMS, [claim]: 0 }).replace(`"${claim}":0`, `"${claim}":1e999`);

const [HEADER = '', PAYLOAD = '', SIGNATURE = ''] = token().split('.');

describe('a genuine webhook', () => {
  const genuine: [string, string][] = [
    ['the current secret', bearer()],
    ['the other secret of a rotation', bearer({ secret: OLD })],
    ['300 s old', bearer({ claims: { iat: IAT - 300 } })],
    ['300 s ahead', bearer({ claims: { iat: IAT + 300 } })],
    ['a header in another order', bearer({ header: { typ: 'JWT', alg: 'HS256' } })],
    ['a lower-case scheme', `bearer ${token()}`],
    ['an unknown claim', bearer({ claims: { newer: true } })],
    ['a time of expiry in the future', bearer({ claims: { exp: IAT + 900 } })],
    ['a time of expiry that has passed within the skew', bearer({ claims: { exp: IAT - 60, iat: IAT - 120 } })],
    ['a start of validity in the past', bearer({ claims: { nbf: IAT } })],
    ['a start of validity within the skew', bearer({ claims: { nbf: IAT + 60 } })],
    ['the application as its audience', bearer({ claims: { aud: APPLICATION } })],
    ['the account among its audiences', bearer({ claims: { aud: ['other', API_KEY] } })],
    ['a subject', bearer({ claims: { sub: 'video' } })],
  ];

  it.each(genuine)('is accepted: %s', (_what, authorization) =>
    expect(check(authorization)).toMatchObject({ ok: true, jti: 'jti-1' }),
  );

  it('returns the expiry of the token as the time until which its jti must be stored', () => {
    expect(check(bearer({ claims: { iat: IAT + 100 } }))).toEqual({
      ok: true,
      jti: 'jti-1',
      expiresAt: new Date(NOW.getTime() + 400_000),
    });
  });

  it('is accepted without an application where none is required, and rejected with another one', () => {
    const lenient = createCallbackVerifier({
      secrets: [SECRET],
      issuer: 'Vonage',
      applicationId: APPLICATION,
      applicationRequired: false,
    });
    expect(
      lenient({ authorization: bearer({ claims: { application_id: undefined } }), rawBody: BODY }, NOW),
    ).toMatchObject({ ok: true });
    expect(lenient({ authorization: bearer({ claims: { application_id: 'other' } }), rawBody: BODY }, NOW)).toEqual({
      ok: false,
      refused: 'wrong-application',
    });
  });
});

describe('a forged webhook', () => {
  const forged: [RefusedCallback, string, string | undefined][] = [
    ['unsigned', 'no header', undefined],
    ['unsigned', 'an empty header', ''],
    ['unsigned', 'another scheme', 'Basic YTpi'],
    ['malformed-token', 'no token', 'Bearer '],
    ['malformed-token', 'two parts', `Bearer ${HEADER}.${PAYLOAD}`],
    ['malformed-token', 'four parts', `Bearer ${HEADER}.${PAYLOAD}.${SIGNATURE}.${SIGNATURE}`],
    ['malformed-token', 'two tokens', `Bearer ${token()}, Bearer ${token()}`],
    ['malformed-token', 'a header that is not JSON', `Bearer ${part('no json')}.${PAYLOAD}.${SIGNATURE}`],
    ['malformed-token', 'a token of 5,000 characters', `Bearer ${'a'.repeat(5_000)}`],
    ['malformed-token', 'a critical extension', bearer({ header: { alg: 'HS256', crit: ['exp'] } })],
    ['malformed-token', 'claims that are not an object', bearer({ payload: part('[1]') })],
    ['malformed-token', 'claims that are not JSON', bearer({ payload: part('{') })],
    ['malformed-token', 'no jti', bearer({ claims: { jti: undefined } })],
    ['malformed-token', 'an empty jti', bearer({ claims: { jti: '' } })],
    ['malformed-token', 'a jti that is not a string', bearer({ claims: { jti: 5 } })],
    ['malformed-token', 'a jti of 201 characters', bearer({ claims: { jti: 'j'.repeat(201) } })],
    ['malformed-token', 'no iat', bearer({ claims: { iat: undefined } })],
    ['malformed-token', 'an iat that is a string', bearer({ claims: { iat: String(IAT) } })],
    ['wrong-algorithm', 'none', `Bearer ${part({ alg: 'none' })}.${PAYLOAD}.`],
    ['wrong-algorithm', 'RS256', rs256()],
    ['wrong-algorithm', 'hs256 in lower case', bearer({ header: { alg: 'hs256' } })],
    ['wrong-algorithm', 'HS512', bearer({ header: { alg: 'HS512' } })],
    ['wrong-algorithm', 'no algorithm', bearer({ header: {} })],
    ['wrong-signature', 'another secret', bearer({ secret: 'some-other-secret-altogether-012345' })],
    ['wrong-signature', 'no signature', `Bearer ${HEADER}.${PAYLOAD}.`],
    ['wrong-signature', 'a truncated signature', `Bearer ${HEADER}.${PAYLOAD}.${SIGNATURE.slice(0, -1)}`],
    ['wrong-signature', 'changed claims', `Bearer ${HEADER}.${part({ ...CLAIMS, jti: 'jti-2' })}.${SIGNATURE}`],
    ['wrong-issuer', 'another issuer', bearer({ claims: { iss: 'vonage' } })],
    ['wrong-issuer', 'no issuer', bearer({ claims: { iss: undefined } })],
    ['wrong-account', 'another account', bearer({ claims: { api_key: 'other' } })],
    ['wrong-account', 'no account', bearer({ claims: { api_key: undefined } })],
    ['wrong-application', 'another application', bearer({ claims: { application_id: 'other' } })],
    ['wrong-application', 'no application', bearer({ claims: { application_id: undefined } })],
    ['stale', '301 s old', bearer({ claims: { iat: IAT - 301 } })],
    ['stale', '301 s ahead', bearer({ claims: { iat: IAT + 301 } })],
    ['stale', 'thirty days old', bearer({ claims: { iat: IAT - 2_592_000 } })],
    ['stale', 'an iat of 1970', bearer({ claims: { iat: 1 } })],
    ['expired', 'expired in 1970', bearer({ claims: { exp: 1 } })],
    ['expired', 'expired 61 s ago', bearer({ claims: { exp: IAT - 61, iat: IAT - 120 } })],
    ['expired', 'a negative time of expiry', bearer({ claims: { exp: -1 } })],
    ['malformed-token', 'an exp that is a string', bearer({ claims: { exp: String(IAT + 900) } })],
    ['malformed-token', 'an exp that is null', bearer({ claims: { exp: null } })],
    ['malformed-token', 'an exp that is infinite', bearer({ payload: part(infinite('exp')) })],
    ['not-yet-valid', 'valid in 61 s', bearer({ claims: { nbf: IAT + 61 } })],
    ['not-yet-valid', 'valid next year', bearer({ claims: { nbf: IAT + 31_536_000 } })],
    ['malformed-token', 'an nbf that is a string', bearer({ claims: { nbf: String(IAT) } })],
    ['malformed-token', 'an nbf that is infinite', bearer({ payload: part(infinite('nbf')) })],
    ['wrong-audience', 'another audience', bearer({ claims: { aud: 'https://elsewhere.example' } })],
    ['wrong-audience', 'no audience of ours in a list', bearer({ claims: { aud: ['a', 'b'] } })],
    ['wrong-audience', 'an empty list of audiences', bearer({ claims: { aud: [] } })],
    ['wrong-audience', 'an audience in another case', bearer({ claims: { aud: APPLICATION.toUpperCase() } })],
    ['wrong-audience', 'an audience that is an object', bearer({ claims: { aud: { [APPLICATION]: true } } })],
    ['malformed-token', 'a subject that is not a string', bearer({ claims: { sub: 7 } })],
    ['malformed-token', 'another type of token', bearer({ header: { alg: 'HS256', typ: 'at+jwt' } })],
    ['wrong-hash', 'no hash', bearer({ claims: { payload_hash: undefined } })],
    ['wrong-hash', 'a hash in upper case', bearer({ claims: { payload_hash: sha256(BODY).toUpperCase() } })],
    ['wrong-hash', 'the hash of another body', bearer({ claims: { payload_hash: sha256(Buffer.from('{}')) } })],
  ];

  it.each(forged)('is rejected as %s: %s', (refused, _what, authorization) =>
    expect(check(authorization)).toEqual({ ok: false, refused }),
  );

  it('is rejected as wrong-hash: a body changed by one byte', () => {
    expect(check(bearer(), Buffer.concat([BODY, Buffer.from(' ')]))).toEqual({ ok: false, refused: 'wrong-hash' });
    expect(check(bearer(), Buffer.alloc(0))).toEqual({ ok: false, refused: 'wrong-hash' });
  });

  it('is rejected as stale when our own clock is invalid', () => {
    expect(verify({ authorization: bearer(), rawBody: BODY }, new Date(Number.NaN))).toEqual({
      ok: false,
      refused: 'stale',
    });
  });

  it('never causes an exception, and is never accepted unsigned', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string().map((text) => `Bearer ${text}`),
      fc.tuple(fc.json(), fc.json(), fc.string()).map(([h, p, s]) => `Bearer ${part(h)}.${part(p)}.${s}`),
    );
    fc.assert(
      fc.property(anything, fc.uint8Array(), (authorization, body) => {
        expect(check(authorization, Buffer.from(body))).toMatchObject({ ok: false });
      }),
    );
  });

  it('is accepted only inside every stated time window', () => {
    const seconds = fc.integer({ min: -1_000, max: 1_000 });
    const optional = fc.option(seconds, { nil: undefined });
    fc.assert(
      fc.property(seconds, optional, optional, (iat, exp, nbf) => {
        const at = (offset: number | undefined): number | undefined =>
          offset === undefined ? undefined : IAT + offset;
        const isValid = Math.abs(iat) <= 300 && (exp ?? 0) >= -60 && (nbf ?? 0) <= 60;
        expect(check(bearer({ claims: { iat: at(iat), exp: at(exp), nbf: at(nbf) } }))).toMatchObject({ ok: isValid });
      }),
      { numRuns: 500 },
    );
  });

  it('is accepted with no registered claim of another type', () => {
    const claim = fc.constantFrom('iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti');
    const wrongType = fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.array(fc.integer()),
    );
    fc.assert(
      fc.property(claim, wrongType, (name, value) => {
        expect(check(bearer({ claims: { [name]: value } }))).toMatchObject({ ok: false });
      }),
    );
  });

  it('never causes an exception with signed garbage', () => {
    fc.assert(
      fc.property(fc.json(), (claims) => {
        expect(check(bearer({ payload: part(claims) }))).toMatchObject({ ok: false });
      }),
    );
  });
});
