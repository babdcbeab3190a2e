import { createHash } from 'node:crypto';
import { verifySignature } from '@vonage/jwt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { peek } from '../credentials/jwt.ts';
import { ACCOUNT, APP, NUMBER, setStage, type Hook, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage({ clock: 'virtual' });
});
afterEach(async () => {
  await stage.fresh();
  await stage.client.putConfig({
    applications: [
      {
        id: APP,
        answerUrl: `${stage.hooksUrl}/answer`,
        answerMethod: 'GET',
        fallbackAnswerUrl: `${stage.hooksUrl}/unused`,
      },
    ],
  });
});
afterAll(() => stage.close());

const room = { json: [{ action: 'conversation', name: 'r' }] };
const dial = async (): Promise<string> => {
  const { id } = await stage.client.dial({ from: '447700900001', to: NUMBER });
  await stage.client.advanceClock(0);
  return id;
};
const paths = (): string[] => stage.hooks.map((hook) => hook.path).filter((path) => path !== '/event');
const bearer = (hook: Hook | undefined): string => (hook?.headers.authorization ?? '').replace('Bearer ', '');

describe('signed webhooks (contract §3)', () => {
  it("carries a signature that the vendor's own verifier accepts, over the raw body", async () => {
    stage.on.set('/answer', () => room);
    await dial();
    const event = stage.hooks.find((hook) => hook.path === '/event');
    expect(verifySignature(bearer(event), ACCOUNT.signatureSecret)).toBe(true);
    expect(verifySignature(bearer(event), 'another')).toBe(false);
    expect(peek(bearer(event))).toMatchObject({
      iss: 'Vonage',
      api_key: ACCOUNT.apiKey,
      application_id: APP,
      payload_hash: createHash('sha256')
        .update(event?.raw ?? '')
        .digest('hex'),
    });
    const ids = stage.hooks.map((hook) => peek(bearer(hook))?.jti);
    expect(new Set(ids).size).toBe(stage.hooks.length);
  });

  it('hashes the empty body on GET, or leaves the hash out', async () => {
    stage.on.set('/answer', () => room);
    await dial();
    const claims = (): unknown => peek(bearer(stage.hooks.findLast((hook) => hook.path === '/answer')));
    expect(claims()).toMatchObject({ payload_hash: createHash('sha256').update('').digest('hex') });
    await stage.client.putConfig({ behaviour: { getPayloadHash: 'absent' } });
    await dial();
    expect(claims()).not.toHaveProperty('payload_hash');
    await stage.client.putConfig({ behaviour: { getPayloadHash: 'empty-body' } });
  });

  it('asks the answer URL by GET with a query, or by POST with JSON', async () => {
    stage.on.set('/answer', () => room);
    await dial();
    expect(stage.hooks.find((hook) => hook.path === '/answer')).toMatchObject({
      method: 'GET',
      query: { to: NUMBER, from: '447700900001', endpoint_type: 'phone' },
    });
    await stage.client.putConfig({ applications: [{ id: APP, answerMethod: 'POST' }] });
    await dial();
    expect(stage.hooks.findLast((hook) => hook.path === '/answer')).toMatchObject({
      method: 'POST',
      body: { to: NUMBER },
    });
  });
});

describe('retries and fallback (contract §3)', () => {
  it.each([429, 503, 504])('attempts twice on %i, then the fallback URL twice, then ends the call', async (status) => {
    stage.on.set('/answer', () => ({ status }));
    stage.on.set('/unused', () => ({ status }));
    await dial();
    expect(paths()).toEqual(['/answer', '/answer', '/unused', '/unused']);
    expect((await stage.client.ledger()).up).toBe(0);
    const fallback = stage.hooks.find((hook) => hook.path === '/unused');
    expect(fallback?.query.reason).toBe('Connection closed.');
    expect(JSON.parse(fallback?.query.original_request ?? '{}')).toMatchObject({ url: `${stage.hooksUrl}/answer` });
  });

  it.each([404, 401, 500])('does not repeat a %i: the fallback URL is next', async (status) => {
    stage.on.set('/answer', () => ({ status }));
    stage.on.set('/unused', () => room);
    await dial();
    expect(paths()).toEqual(['/answer', '/unused']);
    expect((await stage.client.conversations())[0]?.name).toBe('r');
  });

  it('attempts twice when the connection is refused, each with its own jti', async () => {
    await stage.client.putConfig({ applications: [{ id: APP, answerUrl: 'http://127.0.0.1:1/answer' }] });
    stage.on.set('/unused', () => room);
    await dial();
    const attempts = await stage.client.webhookLog({ kind: 'answer' });
    expect(attempts.map((one) => [one.attempt, one.outcome])).toEqual([
      [1, 'refused'],
      [2, 'refused'],
    ]);
    expect(attempts[0]?.headers.authorization).not.toBe(attempts[1]?.headers.authorization);
    expect((await stage.client.conversations()).length).toBe(1);
  });

  it('gives up on a server that says nothing within the response limit', async () => {
    await stage.client.putConfig({ timings: { webhookResponseMs: 1_000, webhookAttempts: 1 } });
    const { createServer } = await import('node:net');
    const silent = createServer(() => undefined);
    const port = await new Promise<number>((resolve) =>
      silent.listen(0, '127.0.0.1', () => resolve((silent.address() as { port: number }).port)),
    );
    await stage.client.putConfig({ applications: [{ id: APP, answerUrl: `http://127.0.0.1:${port}/` }] });
    stage.on.set('/unused', () => room);
    await dial();
    expect((await stage.client.webhookLog({ kind: 'answer' })).map((one) => one.outcome)).toEqual(['timeout']);
    await stage.client.putConfig({ timings: { webhookResponseMs: 5_000, webhookAttempts: 2 } });
    silent.close();
  });

  it('goes on with the call flow when input, then fallback, fail', async () => {
    stage.on.set('/answer', () => ({
      json: [
        { action: 'input', type: ['dtmf'], dtmf: { maxDigits: 1 }, eventUrl: [`${stage.hooksUrl}/dtmf`] },
        { action: 'conversation', name: 'after' },
      ],
    }));
    stage.on.set('/dtmf', () => ({ status: 503 }));
    stage.on.set('/unused', () => ({ status: 503 }));
    const id = await dial();
    await stage.client.key(id, '1');
    await stage.client.advanceClock(0);
    expect(paths()).toEqual(['/answer', '/dtmf', '/dtmf', '/unused', '/unused']);
    expect((await stage.client.conversations())[0]?.name).toBe('after');
  });
});
