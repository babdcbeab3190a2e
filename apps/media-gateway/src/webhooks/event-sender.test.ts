import { describe, expect, it } from 'vitest';
import { createEventSender } from './event-sender.ts';
import { isAllowed, WebhookError, webhookUrls } from './send-webhook.ts';

/** A receiver whose replies are given: undefined is 200, a number is a status, `silence` is no answer. */
function createReceiver(replies: (number | 'silence' | undefined)[]) {
  const received: unknown[] = [];
  const sleeps: number[] = [];
  const givenUp: (number | undefined)[] = [];
  const sender = createEventSender({
    send: async (_account, _url, body) => {
      received.push(body);
      const reply = replies.shift();
      if (reply !== undefined) throw new WebhookError(reply === 'silence' ? undefined : reply);
    },
    sleep: async (ms) => void sleeps.push(ms),
    onGivenUp: (status) => void givenUp.push(status),
  });
  const send = (key: string, body: unknown): void => sender.send(key, { account: 'platform', url: 'http://x/', body });
  return { sender, send, received, sleeps, givenUp };
}

describe('createEventSender', () => {
  it.each([503, 500, 429, 408, 401, 'silence'] as const)(
    'sends an event again after %s, later each time',
    async (reply) => {
      const { sender, send, received, sleeps, givenUp } = createReceiver([reply, reply, reply]);
      send('call', 'answered');
      await sender.drained();
      expect(received).toEqual(Array(4).fill('answered'));
      expect(sleeps).toEqual(sleeps.toSorted((a, b) => a - b));
      expect(givenUp).toEqual([]);
    },
  );

  it.each([400, 403, 404, 422])('gives up an event that was rejected with %i', async (status) => {
    const { sender, send, received, givenUp } = createReceiver([status]);
    send('call', 'answered');
    await sender.drained();
    expect(received).toEqual(['answered']);
    expect(givenUp).toEqual([status]);
  });

  it('gives up after an hour or so', async () => {
    const { sender, send, sleeps, givenUp } = createReceiver(Array(1_000).fill('silence'));
    send('call', 'answered');
    await sender.drained();
    expect(givenUp).toEqual([undefined]);
    expect(sleeps.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThan(3_000_000);
  });

  it('keeps the order of the events of a call, whatever fails', async () => {
    const { sender, send, received } = createReceiver([503, undefined, 503]);
    for (const phase of ['ringing', 'answered', 'over']) send('call', phase);
    await sender.drained();
    expect(received).toEqual(['ringing', 'ringing', 'answered', 'answered', 'over']);
  });

  it('does not delay the events of another call', async () => {
    const gate = Promise.withResolvers<void>();
    const received: unknown[] = [];
    const sender = createEventSender({
      send: async (_account, _url, body) => {
        if (body === 'first') await gate.promise;
        received.push(body);
      },
      sleep: async () => undefined,
      onGivenUp: () => undefined,
    });
    sender.send('one', { account: 'platform', url: '', body: 'first' });
    sender.send('two', { account: 'platform', url: '', body: 'second' });
    await expect.poll(() => received).toEqual(['second']);
    gate.resolve();
    await sender.drained();
    expect(received).toEqual(['second', 'first']);
  });
});

describe('isAllowed', () => {
  it.each([
    ['http://hooks:8080/v1/voice/answer/leg_1', true],
    ['http://hooks:8081/v1/voice', false],
    ['http://hooks:8080@elsewhere/v1', false],
    ['http://hooks:8080.elsewhere/v1', false],
    ['https://hooks:8080/v1', false],
    ['/v1/voice', false],
  ])('%s: %s', (url, wanted) => expect(isAllowed('http://hooks:8080', url)).toBe(wanted));
});

it('addresses the webhooks of the account of a call', () => {
  expect(webhookUrls('http://hooks', 'platform').answer).toBe('http://hooks/v1/voice/answer');
  expect(webhookUrls('http://hooks', 'acct_1').videoEvents).toBe('http://hooks/v1/accounts/acct_1/video/events');
});
