import { verifySignature } from '@vonage/jwt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { APP, PROJECT, createRoutedSession, startTestHarness, type Harness } from '../testing/test-harness.ts';

const MINUTE = 60_000;
let harness: Harness;
beforeAll(async () => {
  harness = await startTestHarness({ clock: 'virtual' });
});
afterEach(() => harness.reset());
afterAll(() => harness.close());

const join = async (): Promise<string> => {
  const sessionId = await createRoutedSession(harness);
  return (await harness.client.joinWebrtc({ sessionId, token: harness.opentok.generateToken(sessionId), name: 'ann' }))
    .connectionId;
};

describe('session monitoring (contract, section 6)', () => {
  it('reports connections and streams, created and destroyed, with the reason', async () => {
    const id = await join();
    await harness.client.leaveWebrtc(id, 'networkDisconnected');
    await harness.client.advanceClock(0);
    expect(harness.hooks.map((hook) => [hook.body.event, hook.body.reason])).toEqual([
      ['connectionCreated', undefined],
      ['streamCreated', undefined],
      ['streamDestroyed', 'networkDisconnected'],
      ['connectionDestroyed', 'networkDisconnected'],
    ]);
    expect(harness.hooks[1]?.body.stream).toMatchObject({ name: 'ann', videoType: 'camera', connection: { id } });
  });

  it('retries four times for an unsigned legacy project, with a delay that doubles from 5 s', async () => {
    harness.replies.set('/session', () => ({ status: 500 }));
    await join();
    await harness.client.advanceClock(60 * MINUTE);
    const attempts = await harness.client.webhookLog({ event: 'connectionCreated' });
    expect(attempts.map((one) => one.attempt)).toEqual([1, 2, 3, 4, 5]);
    expect(attempts.map((one, at) => one.at - (attempts[at - 1] ?? one).at)).toEqual([
      0, 5_000, 10_000, 20_000, 40_000,
    ]);
  });

  it('retries for 24 hours for a unified application, at most 15 minutes apart', async () => {
    const { vonage, client, replies: on } = harness;
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

  it('signs with the callback secret when it is configured', async () => {
    await harness.client.putConfig({
      projects: [{ apiKey: PROJECT, callbackSecret: 'cb' }],
      applications: [{ id: APP }],
    });
    await join();
    await harness.client.advanceClock(0);
    expect(verifySignature((harness.hooks[0]?.headers.authorization ?? '').replace('Bearer ', ''), 'cb')).toBe(true);
  });
});
