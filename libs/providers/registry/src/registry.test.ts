import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createProviders, createMediaProvider, createVoiceProvider } from './registry.ts';

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const applicationId = 'a1b2c3d4-0000-4000-8000-000000000001';
const secret = 'a-secret-that-no-message-may-hold';
const sip = { username: 'acc12345', password: 'p' };
const voice = { kind: 'vonage', account: { apiKey: 'acc12345', applicationId, privateKey, signatureSecret: secret } };
const opentok = { kind: 'opentok', account: { apiKey: '46000001', apiSecret: 's', sip, callbackSecret: secret } };
const unified = { kind: 'unified', account: { applicationId, privateKey, sip, callbackSecret: secret } };
const deps = providerDeps(1_000);

describe('createProviders', () => {
  it.each([opentok, unified])('creates the media and voice providers: $kind', (media) => {
    const providers = createProviders({ media: media, voice: voice }, deps);
    expect({ media: providers.media.kind, voice: providers.voice.kind }).toEqual({
      media: media.kind,
      voice: 'vonage',
    });
    expect(createMediaProvider(media, deps)).not.toBe(providers.media);
  });

  it('names the setting of an unknown kind, and the kinds that exist', () => {
    expect(() => createProviders({ media: { ...opentok, kind: 'twilio' }, voice: voice }, deps)).toThrow(
      expect.objectContaining({
        verdict: { outcome: 'client', reason: 'unknown-provider-kind' },
        field: '/media/kind',
        fix: 'Set /media/kind to one of: opentok, unified, janus.',
      }),
    );
    expect(() => createVoiceProvider({ kind: 'opentok', account: {} }, deps)).toThrow(
      expect.objectContaining({ field: '/kind', fix: 'Set /kind to one of: vonage, janus.' }),
    );
  });

  it('names the invalid settings, and never their values', () => {
    const broken = {
      ...voice,
      account: { ...voice.account, privateKey: secret, signatureSecret: 'short-secret', [secret.slice(0, 8)]: secret },
    };
    const attempt = (): unknown => createProviders({ media: opentok, voice: broken }, deps);
    expect(attempt).toThrow(
      expect.objectContaining({
        verdict: { outcome: 'client', reason: 'bad-provider-account' },
        field: '/voice/account/privateKey',
      }),
    );
    expect(attempt).toThrow(/\/voice\/account\/signatureSecret must have at least 32 characters/);
    expect(attempt).not.toThrow(new RegExp(`${secret}|short-secret`));
  });

  it.each([undefined, null, 'text', []])('rejects %j as an account', (account) => {
    expect(() => createMediaProvider({ kind: 'opentok', account }, deps, '/media')).toThrow(
      expect.objectContaining({ field: '/media/account' }),
    );
  });
});
