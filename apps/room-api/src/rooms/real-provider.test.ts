import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRpcHandlers } from '@partyline/conference/provider-rpc/handlers';
import { platformProvidersOnly } from '@partyline/conference/providers/platform-account';
import { createProviders } from '@partyline/provider-registry/registry';
import { systemClock } from '@partyline/runtime/system';
import { startEmulator, type RunningEmulator } from '@partyline/vonage-emulator/launch';
import { startTestHarness, type TestHarness } from '../testing/test-harness.ts';

const { publicKey, privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const applicationId = 'a1b2c3d4-0000-4000-8000-000000000001';
const account = {
  apiKey: 'acc12345',
  apiSecret: 'vonage-account-secret',
  signatureSecret: 'signature-secret-of-thirty-two-or-more',
};
const callbackSecret = 'callback-secret-of-thirty-two-or-more';
const unusedUrl = 'http://127.0.0.1:9/never-called';

let emulator: RunningEmulator;
let harness: TestHarness;
beforeAll(async () => {
  const hooks = { sessionCallbackUrl: unusedUrl, sipCallbackUrl: unusedUrl, callbackSecret };
  emulator = await startEmulator({
    account,
    applications: [{ id: applicationId, publicKey, answerUrl: unusedUrl, eventUrl: unusedUrl, video: hooks }],
    limits: { enabled: false },
  });
  const providers = createProviders(
    {
      media: {
        kind: 'unified',
        account: {
          applicationId,
          privateKey,
          sip: { username: account.apiKey, password: account.apiSecret },
          callbackSecret,
          videoHost: emulator.url,
        },
      },
      voice: {
        kind: 'vonage',
        account: {
          apiKey: account.apiKey,
          applicationId,
          privateKey,
          signatureSecret: account.signatureSecret,
          apiHost: emulator.url,
        },
      },
    },
    providerDeps(20_000),
  );
  const discardJobs = {
    enqueue: async () => undefined,
    ensure: async () => undefined,
    armHangUp: async () => undefined,
    assertReachable: async () => undefined,
  };
  harness = await startTestHarness(
    (store) =>
      createRpcHandlers({
        providers: platformProvidersOnly(providers),
        store,
        jobs: discardJobs,
        clock: systemClock,
        report: { count: () => undefined, observe: () => undefined, warn: () => undefined },
      }),
    { rpcTimeoutMs: 30_000 },
  );
});
afterAll(async () => {
  await harness.stop();
  await emulator.stop();
});

describe('room-api with the RPC handlers of dial-orchestrator and the emulator', () => {
  it('opens a media session without live legs and issues tokens for it', async () => {
    const { status, body: made } = await harness.request('POST', '/v1/rooms', {
      body: { name: 'Real', maxDurationSeconds: 600 },
    });
    expect([status, made.client.kind, made.client.application]).toEqual([201, 'unified', applicationId]);
    const claims = (token: string): Record<string, unknown> =>
      JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
    expect(claims(made.client.token)).toMatchObject({
      session_id: made.client.mediaSessionId,
      exp: Math.floor(Date.parse(made.client.expiresAt) / 1000),
    });

    const { body: second } = await harness.request('POST', `/v1/rooms/${made.room.id}/tokens`, {
      body: { name: 'Grace' },
    });
    expect(second.client.mediaSessionId).toBe(made.client.mediaSessionId);
    expect(claims(second.client.token).connection_data).toContain(second.participantId);

    expect((await harness.request('GET', `/v1/rooms/${made.room.id}/live`)).body).toEqual({ legs: [] });
  });

  it('returns 502 or 504 with a reason when the provider is down, and stores nothing', async () => {
    const before = await harness.countRows();
    await emulator.stop();
    const { status, body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Down' } });
    expect([status, body.reason]).toEqual([expect.toBeOneOf([502, 504]), expect.any(String)]);
    expect(await harness.countRows()).toEqual(before);
  });
});
