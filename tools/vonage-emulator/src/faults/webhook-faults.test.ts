import { verifySignature } from '@vonage/jwt';
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { peek } from '../credentials/jwt.ts';
import { ACCOUNT, APP, NUMBER, routedSession, setStage, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage({ clock: 'virtual' });
});
afterEach(() => stage.fresh());
afterAll(() => stage.close());

const HOLD = { json: [{ action: 'conversation', name: 'r' }] };
const dial = async (): Promise<string> => {
  if (!stage.on.has('/answer')) stage.on.set('/answer', () => HOLD);
  const { id } = await stage.client.dial({ from: '447700900001', to: NUMBER });
  await stage.client.advanceClock(0);
  return id;
};
const statuses = (): unknown[] =>
  stage.hooks.filter((hook) => hook.path === '/event').map((hook) => hook.body.status ?? hook.body.type);
const claimsOf = (at: number): Record<string, unknown> =>
  peek((stage.hooks[at]?.headers.authorization ?? '').replace('Bearer ', '')) ?? {};

describe('webhook faults', () => {
  it('drops the next one that matches, once', async () => {
    await stage.client.setFaults({ webhooks: [{ kind: 'event', event: 'ringing', fault: 'drop', next: 1 }] });
    await dial();
    expect(statuses()).toEqual(['started', 'answered', 'transfer']);
    await dial();
    expect(statuses().slice(3)).toEqual(['started', 'ringing', 'answered', 'transfer']);
    expect((await stage.client.webhookLog({ event: 'ringing' }))[0]).toMatchObject({
      fault: 'drop',
      outcome: 'dropped',
    });
  });

  it('sends duplicates', async () => {
    await stage.client.setFaults({ webhooks: [{ kind: 'event', event: 'answered', fault: 'duplicate' }] });
    await dial();
    expect(statuses().filter((one) => one === 'answered')).toHaveLength(2);
  });

  it('puts one behind its successor', async () => {
    await stage.client.setFaults({ webhooks: [{ kind: 'event', event: 'answered', fault: 'reorder' }] });
    await dial();
    expect(statuses()).toEqual(['started', 'ringing', 'transfer', 'answered']);
  });

  it('delays by the clock, and lets the others pass', async () => {
    await stage.client.setFaults({ webhooks: [{ kind: 'event', event: 'ringing', fault: 'delay', delayMs: 30_000 }] });
    await dial();
    expect(statuses()).toEqual(['started', 'answered', 'transfer']);
    await stage.client.advanceClock(30_000);
    expect(statuses().at(-1)).toBe('ringing');
  });

  it('lets the answer URL time out, so that the call is retried and ended', async () => {
    await stage.client.setFaults({ switches: { answerTimesOut: true } });
    await dial();
    expect((await stage.client.webhookLog({ kind: 'answer' })).map((one) => one.outcome)).toEqual([
      'timeout',
      'timeout',
    ]);
    expect(await stage.client.ledger()).toMatchObject({ up: 0, legs: [{ endReason: 'answer-unreachable' }] });
    await stage.client.setFaults({ webhooks: [{ kind: 'answer', fault: 'timeout', next: 1 }] });
    await dial();
    expect((await stage.client.ledger()).up).toBe(1);
  });

  it('bites by probability, the same way for the same seed', async () => {
    await stage.client.setFaults({ webhooks: [{ kind: 'event', fault: 'drop', probability: 0.5 }] });
    for (let calls = 0; calls < 10; calls += 1) await dial();
    expect(statuses().length).toBeGreaterThan(5);
    expect(statuses().length).toBeLessThan(35);
    await stage.client.setFaults({ webhooks: [{ fault: 'drop', probability: 0 }] });
    const before = statuses().length;
    await dial();
    expect(statuses().length).toBe(before + 4);
  });

  it('never sends completed', async () => {
    await stage.client.setFaults({ switches: { neverSendsCompleted: true } });
    await stage.client.hangUp(await dial());
    await stage.client.advanceClock(0);
    expect(statuses()).not.toContain('completed');
    expect((await stage.client.ledger()).up).toBe(0);
  });

  it('bites video callbacks too', async () => {
    await stage.client.setFaults({
      webhooks: [{ kind: 'session-callback', event: 'connectionCreated', fault: 'drop' }],
    });
    const sessionId = await routedSession(stage);
    await stage.client.joinWebrtc({ sessionId, token: stage.opentok.generateToken(sessionId) });
    await stage.client.advanceClock(0);
    expect(stage.hooks.map((hook) => hook.body.event)).toEqual(['streamCreated']);
  });
});

describe('signature faults', () => {
  const signedWith = async (fault: string): Promise<void> => {
    await stage.client.setFaults({ webhooks: [{ kind: 'event', fault: fault as 'unsigned' }] });
    await dial();
    stage.hooks.splice(0, stage.hooks.length, ...stage.hooks.filter((hook) => hook.path === '/event'));
  };

  it('unsigned: no Authorization at all', async () => {
    await signedWith('unsigned');
    expect(stage.hooks[0]?.headers).not.toHaveProperty('authorization');
  });

  it('wrong-payload-hash: signature holds, hash does not', async () => {
    await signedWith('wrong-payload-hash');
    expect(verifySignature((stage.hooks[0]?.headers.authorization ?? '').slice(7), ACCOUNT.signatureSecret)).toBe(true);
    expect(claimsOf(0).payload_hash).not.toBe(
      createHash('sha256')
        .update(stage.hooks[0]?.raw ?? '')
        .digest('hex'),
    );
  });

  it('stale-iat: thirty days old', async () => {
    const before = Date.now() / 1000;
    await signedWith('stale-iat');
    expect(before - Number(claimsOf(0).iat)).toBeGreaterThan(29 * 86_400);
  });

  it('replayed-jti: the same twice', async () => {
    await signedWith('replayed-jti');
    expect(claimsOf(1).jti).toBe(claimsOf(0).jti);
  });

  it('wrong-application-id and wrong-secret', async () => {
    await signedWith('wrong-application-id');
    expect(claimsOf(0).application_id).not.toBe(APP);
    await stage.fresh();
    await signedWith('wrong-secret');
    expect(verifySignature((stage.hooks[0]?.headers.authorization ?? '').slice(7), ACCOUNT.signatureSecret)).toBe(
      false,
    );
  });
});

describe('habits of the wire', () => {
  it('writes DTMF in the legacy or the new form, whatever the input said', async () => {
    const digits = async (form: 'legacy' | 'new', type: object): Promise<unknown> => {
      stage.hooks.length = 0;
      await stage.client.setFaults({ switches: { dtmfForm: form } });
      stage.on.set('/answer', () => ({
        json: [{ action: 'input', ...type, maxDigits: 1, eventUrl: [`${stage.hooksUrl}/dtmf`] }],
      }));
      await stage.client.key(await dial(), '7');
      await stage.client.advanceClock(0);
      return stage.hooks.find((hook) => hook.path === '/dtmf')?.body.dtmf;
    };
    expect(await digits('legacy', { type: ['dtmf'] })).toBe('7');
    expect(await digits('new', {})).toEqual({ digits: '7', timed_out: false });
  });

  it('writes uuids without dashes', async () => {
    await stage.client.setFaults({ switches: { uuidForm: 'undashed' } });
    const { callId } = await stage.client.caller(await dial());
    expect(callId).toMatch(/^[0-9a-f]{32}$/);
    expect(stage.hooks.find((hook) => hook.path === '/answer')?.query.uuid).toBe(callId);
  });

  it('sends every voice webhook by GET, or by POST', async () => {
    await stage.client.setFaults({ switches: { webhookMethod: 'GET' } });
    await dial();
    expect(new Set(stage.hooks.map((hook) => hook.method))).toEqual(new Set(['GET']));
    expect(stage.hooks.find((hook) => hook.path === '/event')?.query.status).toBe('started');
    await stage.fresh();
    await stage.client.setFaults({ switches: { webhookMethod: 'POST' } });
    await dial();
    expect(new Set(stage.hooks.map((hook) => hook.method))).toEqual(new Set(['POST']));
  });
});
