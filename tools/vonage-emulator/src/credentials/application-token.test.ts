import { createSign } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { APP, applicationKeys, startTestHarness, type Harness } from '../testing/test-harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startTestHarness();
});
afterAll(() => harness.close());

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
/** The status of a request with an application token of these claims. */
async function statusWith(claims: object): Promise<number> {
  const input = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode({ application_id: APP, ...claims })}`;
  const signature = createSign('RSA-SHA256').update(input).sign(applicationKeys.privateKey, 'base64url');
  const headers = { authorization: `Bearer ${input}.${signature}` };
  return (await fetch(`${harness.emulator.url}/v1/calls`, { headers })).status;
}
const now = Math.floor(Date.now() / 1000);

it.each([
  ['jti, iat and exp', 200, { jti: 'j', iat: now, exp: now + 900 }],
  ['exp 24 hours after iat', 200, { jti: 'j', iat: now, exp: now + 86_400 }],
  ['exp more than 24 hours after iat', 401, { jti: 'j', iat: now, exp: now + 86_401 }],
  ['a past exp', 401, { jti: 'j', iat: now - 900, exp: now - 1 }],
  ['no exp, issued 14 minutes ago', 200, { jti: 'j', iat: now - 840 }],
  ['no exp, issued 15 minutes ago', 401, { jti: 'j', iat: now - 900 }],
  ['no jti', 401, { iat: now, exp: now + 900 }],
  ['no iat', 401, { jti: 'j', exp: now + 900 }],
])('answers an application token with %s with %d', async (_claims, status, claims) => {
  expect(await statusWith(claims)).toBe(status);
});
