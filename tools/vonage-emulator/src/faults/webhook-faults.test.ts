import { verifySignature } from '@vonage/jwt';
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeClaims } from '../credentials/jwt.ts';
import { ACCOUNT, APP, NUMBER, createRoutedSession, startTestHarness, type Harness } from '../testing/test-harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startTestHarness({ clock: 'virtual' });
});
afterEach(() => harness.reset());
afterAll(() => harness.close());

const ROOM_REPLY = { json: [{ action: 'conversation', name: 'r' }] };
const dial = async (): Promise<string> => {
  if (!harness.replies.has('/answer')) harness.replies.set('/answer', () => ROOM_REPLY);
  const { id } = await harness.client.dial({ from: '447700900001', to: NUMBER });
  await harness.client.advanceClock(0);
  return id;
};
const statuses = (): unknown[] =>
  harness.hooks.filter((hook) => hook.path === '/event').map((hook) => hook.body.status ?? hook.body.type);
const claimsOf = (at: number): Record<string, unknown> =>
  decodeClaims((harness.hooks[at]?.headers.authorization ?? '').replace('Bearer ', '')) ?? {};

describe('webhook faults', () => {
  it('drops the next matching webhook, once', async () => {
    await harness.client.setFaults({ webhooks: [{ kind: 'event', event: 'ringing', fault: 'drop', next: 1 }] });
    await dial();
    expect(statuses()).toEqual(['started', 'answered', 'transfer']);
    await dial();
    expect(statuses().slice(3)).toEqual(['started', 'ringing', 'answered', 'transfer']);
    expect((await harness.client.webhookLog({ event: 'ringing' }))[0]).toMatchObject({
      fault: 'drop',
      outcome: 'dropped',
    });
  });

  it('sends duplicates', async () => {
    await harness.client.setFaults({ webhooks: [{ kind: 'event', event: 'answered', fault: 'duplicate' }] });
    await dial();
    expect(statuses().filter((one) => one === 'answered')).toHaveLength(2);
  });

  it('reorders a webhook behind its successor', async () => {
    await harness.client.setFaults({ webhooks: [{ kind: 'event', event: 'answered', fault: 'reorder' }] });
    await dial();
    expect(statuses()).toEqual(['started', 'ringing', 'transfer', 'answered']);
  });

  it('delays a webhook on the clock, and sends the others first', async () => {
    await harness.client.setFaults({
      webhooks: [{ kind: 'event', event: 'ringing', fault: 'delay', delayMs: 30_000 }],
    });
    await dial();
    expect(statuses()).toEqual(['started', 'answered', 'transfer']);
    await harness.client.advanceClock(30_000);
    expect(statuses().at(-1)).toBe('ringing');
  });

  it('times out the answer URL, so that the call is retried and ended', async () => {
    await harness.client.setFaults({ switches: { answerTimesOut: true } });
    await dial();
    expect((await harness.client.webhookLog({ kind: 'answer' })).map((one) => one.outcome)).toEqual([
      'timeout',
      'timeout',
    ]);
    expect(await harness.client.ledger()).toMatchObject({ up: 0, legs: [{ endReason: 'answer-unreachable' }] });
    await harness.client.setFaults({ webhooks: [{ kind: 'answer', fault: 'timeout', next: 1 }] });
    await dial();
    expect((await harness.client.ledger()).up).toBe(1);
  });

  it('applies a rule with its probability', async () => {
    await harness.client.setFaults({ webhooks: [{ kind: 'event', fault: 'drop', probability: 0.5 }] });
    for (let calls = 0; calls < 10; calls += 1) await dial();
    expect(statuses().length).toBeGreaterThan(5);
    expect(statuses().length).toBeLessThan(35);
    await harness.client.setFaults({ webhooks: [{ fault: 'drop', probability: 0 }] });
    const before = statuses().length;
    await dial();
    expect(statuses().length).toBe(before + 4);
  });

  it('neverSendsCompleted: does not send completed', async () => {
    await harness.client.setFaults({ switches: { neverSendsCompleted: true } });
    await harness.client.hangUp(await dial());
    await harness.client.advanceClock(0);
    expect(statuses()).not.toContain('completed');
    expect((await harness.client.ledger()).up).toBe(0);
  });

  it('applies to video callbacks', async () => {
    await harness.client.setFaults({
      webhooks: [{ kind: 'session-callback', event: 'connectionCreated', fault: 'drop' }],
    });
    const sessionId = await createRoutedSession(harness);
    await harness.client.joinWebrtc({ sessionId, token: harness.opentok.generateToken(sessionId) });
    await harness.client.advanceClock(0);
    expect(harness.hooks.map((hook) => hook.body.event)).toEqual(['streamCreated']);
  });
});

describe('signature faults', () => {
  const dialWithSignatureFault = async (fault: string): Promise<void> => {
    await harness.client.setFaults({ webhooks: [{ kind: 'event', fault: fault as 'unsigned' }] });
    await dial();
    harness.hooks.splice(0, harness.hooks.length, ...harness.hooks.filter((hook) => hook.path === '/event'));
  };

  it('unsigned: sends no Authorization header', async () => {
    await dialWithSignatureFault('unsigned');
    expect(harness.hooks[0]?.headers).not.toHaveProperty('authorization');
  });

  it('wrong-payload-hash: the signature is valid, the hash is not', async () => {
    await dialWithSignatureFault('wrong-payload-hash');
    expect(verifySignature((harness.hooks[0]?.headers.authorization ?? '').slice(7), ACCOUNT.signatureSecret)).toBe(
      true,
    );
    expect(claimsOf(0).payload_hash).not.toBe(
      createHash('sha256')
        .update(harness.hooks[0]?.raw ?? '')
        .digest('hex'),
    );
  });

  it('stale-iat: the iat is thirty days old', async () => {
    const before = Date.now() / 1000;
    await dialWithSignatureFault('stale-iat');
    expect(before - Number(claimsOf(0).iat)).toBeGreaterThan(29 * 86_400);
  });

  it('replayed-jti: repeats the previous jti', async () => {
    await dialWithSignatureFault('replayed-jti');
    expect(claimsOf(1).jti).toBe(claimsOf(0).jti);
  });

  it('wrong-application-id and wrong-secret: sign with a wrong id or secret', async () => {
    await dialWithSignatureFault('wrong-application-id');
    expect(claimsOf(0).application_id).not.toBe(APP);
    await harness.reset();
    await dialWithSignatureFault('wrong-secret');
    expect(verifySignature((harness.hooks[0]?.headers.authorization ?? '').slice(7), ACCOUNT.signatureSecret)).toBe(
      false,
    );
  });
});

describe('switches of the webhooks', () => {
  it('dtmfForm: writes DTMF in the legacy or the new form for any input', async () => {
    const readDtmf = async (form: 'legacy' | 'new', type: object): Promise<unknown> => {
      harness.hooks.length = 0;
      await harness.client.setFaults({ switches: { dtmfForm: form } });
      harness.replies.set('/answer', () => ({
        json: [{ action: 'input', ...type, maxDigits: 1, eventUrl: [`${harness.hooksUrl}/dtmf`] }],
      }));
      await harness.client.key(await dial(), '7');
      await harness.client.advanceClock(0);
      return harness.hooks.find((hook) => hook.path === '/dtmf')?.body.dtmf;
    };
    expect(await readDtmf('legacy', { type: ['dtmf'] })).toBe('7');
    expect(await readDtmf('new', {})).toEqual({ digits: '7', timed_out: false });
  });

  it('uuidForm: writes uuids without dashes', async () => {
    await harness.client.setFaults({ switches: { uuidForm: 'undashed' } });
    const { callId } = await harness.client.caller(await dial());
    expect(callId).toMatch(/^[0-9a-f]{32}$/);
    expect(harness.hooks.find((hook) => hook.path === '/answer')?.query.uuid).toBe(callId);
  });

  it('webhookMethod: sends every voice webhook by GET or by POST', async () => {
    await harness.client.setFaults({ switches: { webhookMethod: 'GET' } });
    await dial();
    expect(new Set(harness.hooks.map((hook) => hook.method))).toEqual(new Set(['GET']));
    expect(harness.hooks.find((hook) => hook.path === '/event')?.query.status).toBe('started');
    await harness.reset();
    await harness.client.setFaults({ switches: { webhookMethod: 'POST' } });
    await dial();
    expect(new Set(harness.hooks.map((hook) => hook.method))).toEqual(new Set(['POST']));
  });
});
