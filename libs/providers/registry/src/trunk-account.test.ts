import { generateKeyPairSync, randomUUID } from 'node:crypto';
import type { SipCredentials } from '@partyline/provider-contract/account-credentials';
import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import { signWebhook } from '@partyline/provider-janus/sign-request';
import { describe, expect, it } from 'vitest';
import { createAccountBuilder, settingsFromAccount } from './from-account.ts';
import { createPlatformProviders, type ProviderEnvironment } from './from-environment.ts';
import type { Providers } from './registry.ts';
import { openSipEdge } from './sip-edge.ts';

const SECRET = 'the-secret-of-all-gateways-0123456789';
const VONAGE = { SIP_HOST: 'sip.nexmo.com', VONAGE_APPLICATION_ID: randomUUID() };
const GATEWAYS = {
  MEDIA_GATEWAYS: [{ id: 'gw-1', url: 'http://gw-1:8080' }],
  GATEWAY_SECRET: SECRET,
  GATEWAY_SOCKET_URL: 'wss://rooms.example.com/v1/socket',
  KAMAILIO_RPC_URL: 'http://kamailio:5066/RPC',
  KAMAILIO_RPC_SECRET: 'rpc',
};
const credentials = (voice: Partial<SipCredentials['voice']> = {}): SipCredentials => ({
  voice: { kind: 'sip', addresses: ['8.8.4.4'], ...voice },
  video: { kind: 'janus' },
});
const owner = (accountId: string) => ({ tenantId: 'ten_1', accountId, old: null, isNew: false });
const build = (accountId: string, platform: object = GATEWAYS) =>
  createAccountBuilder(
    { ...VONAGE, ...platform },
    providerDeps(1_000),
    () => undefined,
  )(credentials(), owner(accountId));
/** Whether a provider accepts a webhook that the gateways sign for an account. */
const isAccepted = ({ verifyCallback }: Pick<Providers['voice'], 'verifyCallback'>, account: string, secret = SECRET) =>
  verifyCallback(
    {
      authorization: signWebhook(account, secret, '{}', { now: new Date(), nonce: randomUUID() }),
      rawBody: Buffer.from('{}'),
    },
    new Date(),
  ).ok;

describe('a trunk account', () => {
  it('is at the gateways of the platform, with the trunk of the tenant', () => {
    const trunk = { host: 'sip.carrier.de', transport: 'udp', username: 'anna', password: 'secret' } as const;
    const settings = settingsFromAccount(
      { ...VONAGE, ...GATEWAYS },
      credentials({ trunk }),
      owner('acct_1'),
      () => undefined,
    );
    expect(settings.voice).toEqual(settings.media);
    expect(settings.voice).toEqual({
      kind: 'janus',
      account: {
        account: 'acct_1',
        gateways: GATEWAYS.MEDIA_GATEWAYS,
        secret: SECRET,
        extraSecrets: [],
        kamailio: { url: GATEWAYS.KAMAILIO_RPC_URL, secret: 'rpc' },
        socketUrl: GATEWAYS.GATEWAY_SOCKET_URL,
        trunk,
      },
    });
  });

  it.each(['voice', 'media'] as const)('accepts webhooks for itself only: %s', (side) => {
    const { [side]: provider } = build('acct_1');
    const accounts = ['acct_1', 'acct_2', 'platform', 'platform-sip'];
    expect(accounts.map((account) => isAccepted(provider, account))).toEqual([true, false, false, false]);
    expect(isAccepted(provider, 'acct_1', 'a-secret-that-a-tenant-has-chosen-01')).toBe(false);
  });

  it('places no call without a trunk, whatever trunk the platform has', async () => {
    const { voice } = build('acct_1', { ...GATEWAYS, SIP_TRUNK: 'sip.platform.de' });
    const call = voice.createCall({
      to: '+12025550101',
      from: '+12025550102',
      answerUrl: 'https://hooks.example.com/a',
      eventUrl: 'https://hooks.example.com/e',
      ringingTimerS: 60,
      lengthTimerS: 60,
    });
    await expect(call).rejects.toMatchObject({ verdict: { reason: 'no-trunk' } });
  });

  it('is rejected by a platform without gateways, which has no SIP edge either', () => {
    expect(() => build('acct_1', {})).toThrow(
      expect.objectContaining({ verdict: { outcome: 'server', reason: 'sip-not-configured' } }),
    );
    expect(openSipEdge({ VIDEO_MODE: 'unified' }, 1_000)).toBeNull();
  });
});

describe("the platform's account at its own trunk", () => {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const vonage = {
    ...VONAGE,
    VIDEO_MODE: 'unified',
    VONAGE_API_KEY: 'acc12345',
    VONAGE_API_SECRET: 'p',
    VONAGE_SIGNATURE_SECRET: 's'.repeat(32),
    VONAGE_PRIVATE_KEY: privateKey,
    VIDEO_CALLBACK_SECRET: 'c'.repeat(32),
  } satisfies ProviderEnvironment;
  const create = (environment: ProviderEnvironment) => createPlatformProviders(environment, providerDeps(1_000));

  it('is beside the account of VIDEO_MODE, at the gateways', () => {
    const { platform, platformSip } = create({ ...vonage, ...GATEWAYS });
    expect([platform.media.kind, platformSip?.media.kind, platformSip?.voice.kind]).toEqual([
      'unified',
      'janus',
      'janus',
    ]);
    expect(create({ ...GATEWAYS, SIP_HOST: 'sip.nexmo.com', VIDEO_MODE: 'janus' }).platformSip).not.toBeNull();
    expect(create(vonage).platformSip).toBeNull();
  });

  it.each(['voice', 'media'] as const)('accepts webhooks for itself only: %s', (side) => {
    const { platformSip } = create({ ...vonage, ...GATEWAYS });
    expect(['platform-sip', 'platform', 'acct_1'].map((account) => isAccepted(platformSip![side], account))).toEqual([
      true,
      false,
      false,
    ]);
  });
});
