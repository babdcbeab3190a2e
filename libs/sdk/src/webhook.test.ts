import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { verifyWebhook } from './webhook.ts';

const SECRET = 'whsec_nVaaDrdyk6G1R2h6n2pPqvQkF3xJr1M8yqXWzG7t0Yk=';
const OTHER = 'whsec_AAaaDrdyk6G1R2h6n2pPqvQkF3xJr1M8yqXWzG7t0Yk=';
const ID = 'evt_3q2-7wAAQkV1bWJlclBhcn_4';
const body = JSON.stringify({
  id: ID,
  type: 'leg.ended',
  roomId: 'room_1',
  sessionId: 'ses_1',
  seq: 4,
  at: '2026-05-04T09:30:00.000Z',
  data: { legId: 'leg_1', kind: 'inbound', participantId: null, outcome: 'success', reason: 'completed' },
});

const signed = (at = new Date(), by = SECRET, over = body): Record<string, string> => ({
  'webhook-id': ID,
  'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
  'webhook-signature': new Webhook(by).sign(ID, at, over),
});

describe('verifyWebhook', () => {
  it('returns the typed event', () => {
    const event = verifyWebhook(SECRET, signed(), body);
    expect(event.type === 'leg.ended' && event.data.reason).toBe('completed');
  });

  it.each([
    ['Headers', () => new Headers(signed())],
    [
      'upper-case names',
      () => Object.fromEntries(Object.entries(signed()).map(([name, value]) => [name.toUpperCase(), value])),
    ],
    ['values in arrays', () => Object.fromEntries(Object.entries(signed()).map(([name, value]) => [name, [value]]))],
  ])('accepts headers as %s', (_what, headers) => expect(verifyWebhook(SECRET, headers(), body).id).toBe(ID));

  it('accepts the body as bytes', () => expect(verifyWebhook(SECRET, signed(), Buffer.from(body)).id).toBe(ID));

  it('accepts either secret during a rotation', () => {
    for (const by of [SECRET, OTHER]) expect(verifyWebhook([OTHER, SECRET], signed(new Date(), by), body).id).toBe(ID);
    const both = {
      ...signed(),
      'webhook-signature': `${signed()['webhook-signature']} ${signed(new Date(), OTHER)['webhook-signature']}`,
    };
    expect(verifyWebhook(OTHER, both, body).id).toBe(ID);
  });
});

it.each([undefined, null, '', [], [undefined]])('verifyWebhook names the secret as missing when it is %o', (secret) => {
  expect(() => verifyWebhook(secret as string, signed(), body)).toThrow(
    expect.objectContaining({ reason: 'invalid-options', message: "The endpoint's secret is missing." }) as Error,
  );
});

describe('verifyWebhook rejects', () => {
  const now = Date.now();
  it.each<[string, () => unknown]>([
    ['another secret', () => verifyWebhook(SECRET, signed(new Date(), OTHER), body)],
    ['another body', () => verifyWebhook(SECRET, signed(), body.replace('leg_1', 'leg_2'))],
    [
      'a body that was parsed and serialized again',
      () => verifyWebhook(SECRET, signed(), JSON.stringify(JSON.parse(body), null, 1)),
    ],
    ['another id', () => verifyWebhook(SECRET, { ...signed(), 'webhook-id': 'evt_other' }, body)],
    ['an old timestamp', () => verifyWebhook(SECRET, signed(new Date(now - 400_000)), body)],
    ['a future timestamp', () => verifyWebhook(SECRET, signed(new Date(now + 400_000)), body)],
    ['no signature', () => verifyWebhook(SECRET, { ...signed(), 'webhook-signature': '' }, body)],
    ['no headers', () => verifyWebhook(SECRET, {}, body)],
    [
      'an unknown signature version',
      () => verifyWebhook(SECRET, { ...signed(), 'webhook-signature': 'v9,AAAA' }, body),
    ],
    ['a malformed secret', () => verifyWebhook('nonsense!', signed(), body)],
  ])('%s', (_what, verify) =>
    expect(verify).toThrow(expect.objectContaining({ reason: 'webhook-rejected', fix: expect.any(String) as string })),
  );
});
