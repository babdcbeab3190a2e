import { verifySignature } from '@vonage/jwt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { APP, PROJECT, routedSession, setStage, type Stage } from '../testing/test-harness.ts';

const MINUTE = 60_000;
let stage: Stage;
beforeAll(async () => {
  stage = await setStage({ clock: 'virtual' });
});
afterEach(() => stage.fresh());
afterAll(() => stage.close());

const join = async (): Promise<string> => {
  const sessionId = await routedSession(stage);
  return (await stage.client.joinWebrtc({ sessionId, token: stage.opentok.generateToken(sessionId), name: 'ann' }))
    .connectionId;
};

describe('session monitoring (contract §6)', () => {
  it('tells who came and went, with the reason', async () => {
    const id = await join();
    await stage.client.leaveWebrtc(id, 'networkDisconnected');
    await stage.client.advanceClock(0);
    expect(stage.hooks.map((hook) => [hook.body.event, hook.body.reason])).toEqual([
      ['connectionCreated', undefined],
      ['streamCreated', undefined],
      ['streamDestroyed', 'networkDisconnected'],
      ['connectionDestroyed', 'networkDisconnected'],
    ]);
    expect(stage.hooks[1]?.body.stream).toMatchObject({ name: 'ann', videoType: 'camera', connection: { id } });
  });

  it('gives an unsigned legacy project four retries, 5 s doubling', async () => {
    stage.on.set('/session', () => ({ status: 500 }));
    await join();
    await stage.client.advanceClock(60 * MINUTE);
    const attempts = await stage.client.webhookLog({ event: 'connectionCreated' });
    expect(attempts.map((one) => one.attempt)).toEqual([1, 2, 3, 4, 5]);
    expect(attempts.map((one, at) => one.at - (attempts[at - 1] ?? one).at)).toEqual([
      0, 5_000, 10_000, 20_000, 40_000,
    ]);
  });

  it('retries a unified application for 24 hours, at most 15 minutes apart', async () => {
    const { vonage, client, on } = stage;
    on.set('/session', () => ({ status: 503 }));
    const { sessionId } = await vonage.video.createSession();
    await client.joinWebrtc({ sessionId, token: vonage.video.generateClientToken(sessionId), publish: false });
    await client.advanceClock(30 * 60 * MINUTE);
    const attempts = await client.webhookLog({ event: 'connectionCreated' });
    const span = (attempts.at(-1)?.at ?? 0) - (attempts[0]?.at ?? 0);
    expect(span).toBeGreaterThan(23.5 * 60 * MINUTE);
    expect(span).toBeLessThanOrEqual(24 * 60 * MINUTE);
    expect((attempts.at(-1)?.at ?? 0) - (attempts.at(-2)?.at ?? 0)).toBe(15 * MINUTE);
  });

  it('signs with the callback secret when there is one', async () => {
    await stage.client.putConfig({
      projects: [{ apiKey: PROJECT, callbackSecret: 'cb' }],
      applications: [{ id: APP }],
    });
    await join();
    await stage.client.advanceClock(0);
    expect(verifySignature((stage.hooks[0]?.headers.authorization ?? '').replace('Bearer ', ''), 'cb')).toBe(true);
  });
});
