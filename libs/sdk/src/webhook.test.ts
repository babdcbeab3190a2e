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

describe('a webhook that Partyline signed', () => {
  it('gives its event, typed', () => {
    const event = verifyWebhook(SECRET, signed(), body);
    expect(event.type === 'leg.ended' && event.data.reason).toBe('completed');
  });

  it.each([
    ['Headers', () => new Headers(signed())],
    [
      'names in another case',
      () => Object.fromEntries(Object.entries(signed()).map(([name, value]) => [name.toUpperCase(), value])),
    ],
    ['values in lists', () => Object.fromEntries(Object.entries(signed()).map(([name, value]) => [name, [value]]))],
  ])('is taken with %s', (_what, headers) => expect(verifyWebhook(SECRET, headers(), body).id).toBe(ID));

  it('is taken as bytes', () => expect(verifyWebhook(SECRET, signed(), Buffer.from(body)).id).toBe(ID));

  it('is taken while a secret is being rotated, by either', () => {
    for (const by of [SECRET, OTHER]) expect(verifyWebhook([OTHER, SECRET], signed(new Date(), by), body).id).toBe(ID);
    const both = {
      ...signed(),
      'webhook-signature': `${signed()['webhook-signature']} ${signed(new Date(), OTHER)['webhook-signature']}`,
    };
    expect(verifyWebhook(OTHER, both, body).id).toBe(ID);
  });
});

describe('any other is refused', () => {
  const now = Date.now();
  it.each<[string, () => unknown]>([
    ['another secret', () => verifyWebhook(SECRET, signed(new Date(), OTHER), body)],
    ['another body', () => verifyWebhook(SECRET, signed(), body.replace('leg_1', 'leg_2'))],
    [
      'a body that was parsed and written again',
      () => verifyWebhook(SECRET, signed(), JSON.stringify(JSON.parse(body), null, 1)),
    ],
    ['another id', () => verifyWebhook(SECRET, { ...signed(), 'webhook-id': 'evt_other' }, body)],
    ['too old', () => verifyWebhook(SECRET, signed(new Date(now - 400_000)), body)],
    ['from the future', () => verifyWebhook(SECRET, signed(new Date(now + 400_000)), body)],
    ['no signature', () => verifyWebhook(SECRET, { ...signed(), 'webhook-signature': '' }, body)],
    ['no headers', () => verifyWebhook(SECRET, {}, body)],
    ['a version that is not known', () => verifyWebhook(SECRET, { ...signed(), 'webhook-signature': 'v9,AAAA' }, body)],
    ['no secret', () => verifyWebhook([], signed(), body)],
    ['a secret that is none', () => verifyWebhook('nonsense!', signed(), body)],
  ])('%s', (_what, verify) =>
    expect(verify).toThrow(expect.objectContaining({ reason: 'webhook-rejected', fix: expect.any(String) as string })),
  );
});
