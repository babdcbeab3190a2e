import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import { createHash, createHmac, generateKeyPairSync, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { settingsFromEnvironment, type ProviderEnvironment } from './from-environment.ts';
import { createProviders } from './registry.ts';

const applicationId = randomUUID();
const environment = {
  VIDEO_MODE: 'unified',
  VONAGE_API_KEY: 'acc12345',
  VONAGE_API_SECRET: 'p',
  VONAGE_SIGNATURE_SECRET: 'current-signature-secret-0123456789',
  VONAGE_APPLICATION_ID: applicationId,
  VONAGE_PRIVATE_KEY: generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey,
  VIDEO_CALLBACK_SECRET: 'current-callback-secret-0123456789',
  OPENTOK_API_KEY: '46000001',
  OPENTOK_API_SECRET: 's',
  VONAGE_REGION_HOSTS: {},
  SIP_HOST: 'sip.nexmo.com',
} satisfies Partial<ProviderEnvironment>;
const rawBody = Buffer.from('{}');

const sign = (secret: string): string => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    iss: 'Vonage',
    iat: Math.floor(Date.now() / 1_000),
    jti: randomUUID(),
    payload_hash: createHash('sha256').update(rawBody).digest('hex'),
    api_key: 'acc12345',
    application_id: applicationId,
  };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `Bearer ${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
};

describe.each(['unified', 'opentok'] as const)('the secrets of the platform with VIDEO_MODE=%s', (VIDEO_MODE) => {
  const [oldSignature, oldCallback] = ['the-other-signature-secret-0123456789', 'the-other-callback-secret-0123456789'];
  const isAccepted = (side: 'voice' | 'media', secret: string, more: Partial<ProviderEnvironment> = {}): boolean =>
    createProviders(settingsFromEnvironment({ ...environment, VIDEO_MODE, ...more }), providerDeps(1_000))[
      side
    ].verifyCallback({ authorization: sign(secret), rawBody }, new Date()).ok;

  it('are both accepted during a rotation, each for its own webhooks', () => {
    const rotation = { VONAGE_OTHER_SIGNATURE_SECRET: oldSignature, VIDEO_OTHER_CALLBACK_SECRET: oldCallback };
    expect(isAccepted('voice', environment.VONAGE_SIGNATURE_SECRET, rotation)).toBe(true);
    expect(isAccepted('voice', oldSignature, rotation)).toBe(true);
    expect(isAccepted('voice', oldCallback, rotation)).toBe(false);
    expect(isAccepted('media', environment.VIDEO_CALLBACK_SECRET, rotation)).toBe(true);
    expect(isAccepted('media', oldCallback, rotation)).toBe(true);
    expect(isAccepted('media', oldSignature, rotation)).toBe(false);
  });

  it('are the only accepted ones outside of a rotation', () => {
    expect(isAccepted('voice', oldSignature)).toBe(false);
    expect(isAccepted('media', oldCallback)).toBe(false);
  });
});
