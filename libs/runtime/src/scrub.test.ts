import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, it, test } from 'vitest';
import { scrub } from './scrub.ts';

const secret = randomBytes(32).toString('base64url');

test.each([
  ['a number', 'cannot call +442079460018.', 'cannot call [digits].'],
  ['a number without its plus', '"to":"442079460018"', '"to":"[digits]"'],
  ['a PIN', 'PIN 407281935 is wrong', 'PIN [digits] is wrong'],
  ['a PIN in groups', 'PIN 407 281 935 #', 'PIN [digits] #'],
  ['a tel link', 'tel:+12025550100,,407281935#', 'tel:[digits],,[digits]#'],
  ['an API key', `key pl_live_9f86d0_${secret}!`, 'key [key]!'],
  ['an operator key', `plop_ada_${secret}`, '[key]'],
  ['a stream token', `/v1/events?streamToken=plst_${secret}`, '/v1/events?streamToken=[key]'],
  ['an endpoint secret', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=', '[key]'],
  ['a header', 'authorization: Bearer abc.def', 'authorization: Bearer [redacted]'],
  ['a token', 'token eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjF9.c2ln was refused', 'token [token] was refused'],
  ['a secret', `it was ${secret}`, 'it was [secret]'],
])('removes %s', (_what, text, scrubbed) => expect(scrub(text)).toBe(scrubbed));

test.each([
  'leg_3q2-7wAAQkV1bWJlclBhcn',
  'ses_YWJjZGVmZ2hpamtsbW5vcA',
  'connect ECONNREFUSED 127.0.0.1:54321',
  'at changeSession (/srv/libs/conference/src/sessions/change-session.ts:22:16)',
  '40P01',
  'a 503 after 4000 ms',
])('keeps %s', (text) => expect(scrub(text)).toBe(text));

it('removes every separate run of six or more digits, in any context', () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[ a-z.,:"'(]{0,10}[ ,:"'(]$/),
      fc.stringMatching(/^\+?\d{6,15}$/),
      fc.stringMatching(/^[ ,.:"')#][ a-z.,:"')]{0,10}$/),
      (before, digits, after) => {
        expect(scrub(before + digits + after)).not.toContain(digits.replace('+', ''));
      },
    ),
  );
});
