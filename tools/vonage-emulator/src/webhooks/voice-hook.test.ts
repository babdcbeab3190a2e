import { createHash } from 'node:crypto';
import { verifySignature } from '@vonage/jwt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeClaims } from '../credentials/jwt.ts';
import { ACCOUNT, APP, NUMBER, startTestHarness, type Hook, type Harness } from '../testing/test-harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startTestHarness({ clock: 'virtual' });
});
afterEach(async () => {
  await harness.reset();
  await harness.client.putConfig({
    applications: [
      {
        id: APP,
        answerUrl: `${harness.hooksUrl}/answer`,
        answerMethod: 'GET',
        fallbackAnswerUrl: `${harness.hooksUrl}/unused`,
      },
    ],
  });
});
afterAll(() => harness.close());

const room = { json: [{ action: 'conversation', name: 'r' }] };
const dial = async (): Promise<string> => {
  const { id } = await harness.client.dial({ from: '447700900001', to: NUMBER });
  await harness.client.advanceClock(0);
  return id;
};
const paths = (): string[] => harness.hooks.map((hook) => hook.path).filter((path) => path !== '/event');
const bearer = (hook: Hook | undefined): string => (hook?.headers.authorization ?? '').replace('Bearer ', '');

describe('signed webhooks (contract, section 3)', () => {
  it("signs the raw body so that Vonage's verifier accepts it", async () => {
    harness.replies.set('/answer', () => room);
    await dial();
    const event = harness.hooks.find((hook) => hook.path === '/event');
    expect(verifySignature(bearer(event), ACCOUNT.signatureSecret)).toBe(true);
    expect(verifySignature(bearer(event), 'another')).toBe(false);
    expect(decodeClaims(bearer(event))).toMatchObject({
      iss: 'Vonage',
      api_key: ACCOUNT.apiKey,
      application_id: APP,
      payload_hash: createHash('sha256')
        .update(event?.raw ?? '')
        .digest('hex'),
    });
    const ids = harness.hooks.map((hook) => decodeClaims(bearer(hook))?.jti);
    expect(new Set(ids).size).toBe(harness.hooks.length);
  });

  it('hashes the empty body on GET, or omits the hash', async () => {
    harness.replies.set('/answer', () => room);
    await dial();
    const claims = (): unknown => decodeClaims(bearer(harness.hooks.findLast((hook) => hook.path === '/answer')));
    expect(claims()).toMatchObject({ payload_hash: createHash('sha256').update('').digest('hex') });
    await harness.client.putConfig({ behaviour: { getPayloadHash: 'absent' } });
    await dial();
    expect(claims()).not.toHaveProperty('payload_hash');
    await harness.client.putConfig({ behaviour: { getPayloadHash: 'empty-body' } });
  });

  it('requests the answer URL by GET with a query, or by POST with JSON', async () => {
    harness.replies.set('/answer', () => room);
    await dial();
    expect(harness.hooks.find((hook) => hook.path === '/answer')).toMatchObject({
      method: 'GET',
      query: { to: NUMBER, from: '447700900001', endpoint_type: 'phone' },
    });
    await harness.client.putConfig({ applications: [{ id: APP, answerMethod: 'POST' }] });
    await dial();
    expect(harness.hooks.findLast((hook) => hook.path === '/answer')).toMatchObject({
      method: 'POST',
      body: { to: NUMBER },
    });
  });
});

describe('retries and fallback (contract, section 3)', () => {
  it.each([429, 503, 504])('on %i: tries the URL twice, the fallback URL twice, then ends the call', async (status) => {
    harness.replies.set('/answer', () => ({ status }));
    harness.replies.set('/unused', () => ({ status }));
    await dial();
    expect(paths()).toEqual(['/answer', '/answer', '/unused', '/unused']);
    expect((await harness.client.ledger()).up).toBe(0);
    const fallback = harness.hooks.find((hook) => hook.path === '/unused');
    expect(fallback?.query.reason).toBe('Connection closed.');
    expect(JSON.parse(fallback?.query.original_request ?? '{}')).toMatchObject({ url: `${harness.hooksUrl}/answer` });
  });

  it.each([404, 401, 500])('on %i: does not retry and requests the fallback URL', async (status) => {
    harness.replies.set('/answer', () => ({ status }));
    harness.replies.set('/unused', () => room);
    await dial();
    expect(paths()).toEqual(['/answer', '/unused']);
    expect((await harness.client.conversations())[0]?.name).toBe('r');
  });

  it('tries twice when the connection is refused, each time with a new jti', async () => {
    await harness.client.putConfig({ applications: [{ id: APP, answerUrl: 'http://127.0.0.1:1/answer' }] });
    harness.replies.set('/unused', () => room);
    await dial();
    const attempts = await harness.client.webhookLog({ kind: 'answer' });
    expect(attempts.map((one) => [one.attempt, one.outcome])).toEqual([
      [1, 'refused'],
      [2, 'refused'],
    ]);
    expect(attempts[0]?.headers.authorization).not.toBe(attempts[1]?.headers.authorization);
    expect((await harness.client.conversations()).length).toBe(1);
  });

  it('times out a server that does not reply within the response limit', async () => {
    await harness.client.putConfig({ timings: { webhookResponseMs: 1_000, webhookAttempts: 1 } });
    const { createServer } = await import('node:net');
    const silent = createServer(() => undefined);
    const port = await new Promise<number>((resolve) =>
      silent.listen(0, '127.0.0.1', () => resolve((silent.address() as { port: number }).port)),
    );
    await harness.client.putConfig({ applications: [{ id: APP, answerUrl: `http://127.0.0.1:${port}/` }] });
    harness.replies.set('/unused', () => room);
    await dial();
    expect((await harness.client.webhookLog({ kind: 'answer' })).map((one) => one.outcome)).toEqual(['timeout']);
    await harness.client.putConfig({ timings: { webhookResponseMs: 5_000, webhookAttempts: 2 } });
    silent.close();
  });

  it('continues the call flow when the input webhook and the fallback fail', async () => {
    harness.replies.set('/answer', () => ({
      json: [
        { action: 'input', type: ['dtmf'], dtmf: { maxDigits: 1 }, eventUrl: [`${harness.hooksUrl}/dtmf`] },
        { action: 'conversation', name: 'after' },
      ],
    }));
    harness.replies.set('/dtmf', () => ({ status: 503 }));
    harness.replies.set('/unused', () => ({ status: 503 }));
    const id = await dial();
    await harness.client.key(id, '1');
    await harness.client.advanceClock(0);
    expect(paths()).toEqual(['/answer', '/dtmf', '/dtmf', '/unused', '/unused']);
    expect((await harness.client.conversations())[0]?.name).toBe('after');
  });
});
