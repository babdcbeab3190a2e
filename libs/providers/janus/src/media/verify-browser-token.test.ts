import { signToken } from '@partyline/provider-contract/signature';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { issueBrowserToken } from './browser-token.ts';
import { createBrowserTokenVerifier } from './verify-browser-token.ts';

const SECRET = 'a-secret-of-the-gateways-0123456789';
const OTHER_SECRET = 'the-secret-before-the-rotation-0123';
const NOW = new Date('2026-11-30T12:00:00Z');
const seconds = (offset: number): number => NOW.getTime() / 1_000 + offset;
const after = (offset: number): Date => new Date(NOW.getTime() + offset * 1_000);

const verify = createBrowserTokenVerifier([SECRET, OTHER_SECRET]);
const issue = (secret = SECRET): string =>
  issueBrowserToken(
    { account: 'platform', secret },
    { mediaSessionId: 'conv_1', data: 'participant', expiresAt: after(60) },
    NOW,
  );

const claims = {
  aud: 'browser',
  conference: 'conv_1',
  account: 'platform',
  data: 'participant',
  starts: true,
  iat: seconds(0),
  exp: seconds(60),
};
const sign = (changes: Record<string, unknown>, secret = SECRET): string =>
  signToken({ ...claims, ...changes }, secret);

describe('a token that we issued', () => {
  it('is accepted with its claims until it expires', () => {
    expect(verify(issue(), NOW)).toEqual({ ok: true, claims });
    expect(verify(issue(), after(59.999))).toMatchObject({ ok: true });
    expect(verify(issue(), after(60))).toEqual({ ok: false, refused: 'expired' });
  });

  it('is accepted with the other secret of a rotation, and with no third one', () => {
    expect(verify(issue(OTHER_SECRET), NOW)).toMatchObject({ ok: true });
    expect(verify(issue('a-third-secret-0123456789-0123456789'), NOW)).toEqual({
      ok: false,
      refused: 'wrong-signature',
    });
  });

  it('is rejected after a change of any character', () => {
    const token = issue();
    // The last character of a signature carries unused bits.
    const accepted = Array.from(token.slice(0, -1)).flatMap((character, at) => {
      const changed = token.slice(0, at) + (character === 'A' ? 'B' : 'A') + token.slice(at + 1);
      return verify(changed, NOW).ok ? [at] : [];
    });
    expect(accepted).toEqual([]);
  });
});

describe('other tokens are rejected', () => {
  it.each([
    ['another audience', sign({ aud: 'control' }), 'wrong-audience'],
    ['no audience', sign({ aud: undefined }), 'wrong-audience'],
    ['a list of audiences', sign({ aud: ['browser'] }), 'wrong-audience'],
    ['an invalid conference', sign({ conference: '../other' }), 'malformed-token'],
    ['no conference', sign({ conference: undefined }), 'malformed-token'],
    ['an invalid account', sign({ account: 'nobody' }), 'malformed-token'],
    ['an expiry that is text', sign({ exp: String(seconds(60)) }), 'malformed-token'],
    ['no expiry', sign({ exp: undefined }), 'malformed-token'],
    ['data that is too long', sign({ data: 'x'.repeat(1_001) }), 'malformed-token'],
    ['more than 4096 characters', sign({ more: 'x'.repeat(4_096) }), 'malformed-token'],
    ['the algorithm none', `${encode({ alg: 'none' })}.${encode(claims)}.`, 'wrong-algorithm'],
    ['another algorithm', `${encode({ alg: 'RS256' })}.${encode(claims)}.${'A'.repeat(43)}`, 'wrong-algorithm'],
    ['no signature', `${sign({}).split('.').slice(0, 2).join('.')}.`, 'wrong-signature'],
    ['claims that are a list', signToken([1] as never, SECRET), 'malformed-token'],
  ])('with %s', (_, token, refused) => {
    expect(verify(token, NOW)).toEqual({ ok: false, refused });
  });

  it('if they are any other text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(verify(text, NOW)).toMatchObject({ ok: false, refused: expect.any(String) });
      }),
    );
  });

  it('when the clock is invalid', () => expect(verify(sign({}), new Date(Number.NaN))).toMatchObject({ ok: false }));
});

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
