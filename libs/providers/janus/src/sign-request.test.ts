import { describe, expect, it } from 'vitest';
import { createCallbackVerifier } from '@partyline/provider-contract/signature';
import { GATEWAY_ISSUER, signControlRequest, signWebhook, verifyControlRequest } from './sign-request.ts';

const SECRET = 'a-secret-of-thirty-two-characters';
const OTHER = 'another-secret-of-32-characters-or-more';
const NOW = new Date('2026-11-30T12:00:00Z');
const input = { now: NOW, nonce: 'nonce-1' };
const OPERATION = 'gw-1 POST /v1/calls';
const verify = (operation: string, authorization: string, body: string, secrets = [SECRET], now = NOW) =>
  verifyControlRequest(operation, secrets, { authorization, rawBody: Buffer.from(body) }, now);

describe('a control request', () => {
  const signed = signControlRequest(OPERATION, SECRET, '{"a":1}', input);

  it('is accepted as it was signed, also with the other secret of a rotation', () => {
    expect(verify(OPERATION, signed, '{"a":1}')).toMatchObject({ ok: true, jti: 'nonce-1' });
    expect(verify(OPERATION, signed, '{"a":1}', [OTHER, SECRET])).toMatchObject({ ok: true });
  });

  it.each([
    ['at another gateway', 'gw-2 POST /v1/calls', '{"a":1}', [SECRET], NOW, 'wrong-application'],
    ['with another method', 'gw-1 GET /v1/calls', '{"a":1}', [SECRET], NOW, 'wrong-application'],
    ['at another path', 'gw-1 POST /v1/calls/gw-1.x/hang-up', '{"a":1}', [SECRET], NOW, 'wrong-application'],
    ['with another body', OPERATION, '{"a":2}', [SECRET], NOW, 'wrong-hash'],
    ['with another secret', OPERATION, '{"a":1}', [OTHER], NOW, 'wrong-signature'],
    ['six minutes later', OPERATION, '{"a":1}', [SECRET], new Date(NOW.getTime() + 360_000), 'stale'],
  ])('is rejected %s', (_what, operation, body, secrets, now, refused) =>
    expect(verify(operation, signed, body, secrets, now)).toEqual({ ok: false, refused }),
  );

  it('is not accepted as a webhook, and a webhook is not accepted as a control request', () => {
    const webhook = createCallbackVerifier({
      secrets: [SECRET],
      issuer: GATEWAY_ISSUER,
      applicationId: OPERATION,
      applicationRequired: true,
    });
    expect(webhook({ authorization: signed, rawBody: Buffer.from('{"a":1}') }, NOW)).toEqual({
      ok: false,
      refused: 'wrong-issuer',
    });
    expect(verify(OPERATION, signWebhook(OPERATION, SECRET, '{"a":1}', input), '{"a":1}')).toEqual({
      ok: false,
      refused: 'wrong-issuer',
    });
  });
});

it('a webhook is accepted for its own account only', () => {
  const verifyFor = (account: string) =>
    createCallbackVerifier({
      secrets: [SECRET],
      issuer: GATEWAY_ISSUER,
      applicationId: account,
      applicationRequired: true,
    });
  const webhook = { authorization: signWebhook('acct_1', SECRET, '{}', input), rawBody: Buffer.from('{}') };
  expect(verifyFor('acct_1')(webhook, NOW)).toMatchObject({ ok: true });
  expect(verifyFor('acct_2')(webhook, NOW)).toEqual({ ok: false, refused: 'wrong-application' });
  expect(verifyFor('platform')(webhook, NOW)).toEqual({ ok: false, refused: 'wrong-application' });
});
