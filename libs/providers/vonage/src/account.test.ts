import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { opentokAccountSchema, unifiedAccountSchema, voiceAccountSchema } from './account.ts';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const pkcs1 = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
const ec = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
}).privateKey;
const applicationId = 'a1b2c3d4-0000-4000-8000-000000000001';
const secret = 'x'.repeat(32);
const sip = { username: 'acc12345', password: 'account-secret' };
const voice = { apiKey: 'acc12345', applicationId, privateKey: pkcs8, signatureSecret: secret };
const opentok = { apiKey: '46000001', apiSecret: 'project-secret', sip, callbackSecret: secret };
const unified = { applicationId, privateKey: pkcs8, sip, callbackSecret: secret };

describe('account schemas', () => {
  it('default to the hosts of the provider and to TLS', () => {
    expect(voiceAccountSchema.parse(voice)).toEqual({
      ...voice,
      apiHost: 'https://api.nexmo.com',
      extraSignatureSecrets: [],
    });
    expect(opentokAccountSchema.parse(opentok)).toMatchObject({
      apiHost: 'https://api.opentok.com',
      sip: { host: 'sip.nexmo.com', tls: true, secure: true },
    });
    expect(unifiedAccountSchema.parse(unified)).toMatchObject({ videoHost: 'https://video.api.vonage.com' });
  });

  it('accept a key with escaped line breaks and a host with a trailing slash', () => {
    const parsed = voiceAccountSchema.parse({
      ...voice,
      privateKey: pkcs8.replaceAll('\n', String.raw`\n`),
      apiHost: 'http://127.0.0.1:4000/',
    });
    expect(parsed).toMatchObject({ privateKey: pkcs8, apiHost: 'http://127.0.0.1:4000' });
  });

  it('accept a PKCS#1 key for voice, because its SDK does', () =>
    expect(voiceAccountSchema.safeParse({ ...voice, privateKey: pkcs1 }).success).toBe(true));

  const invalid: [
    string,
    { safeParse: (value: unknown) => { error?: { issues: { path: PropertyKey[]; message: string }[] } | undefined } },
    object,
    string,
    RegExp,
  ][] = [
    [
      'a short signature secret',
      voiceAccountSchema,
      { ...voice, signatureSecret: 'short' },
      'signatureSecret',
      /32 characters/,
    ],
    [
      'three secrets',
      voiceAccountSchema,
      { ...voice, extraSignatureSecrets: [secret, secret] },
      'extraSignatureSecrets',
      /at most one secret/,
    ],
    ['a text that is not a key', voiceAccountSchema, { ...voice, privateKey: 'no key' }, 'privateKey', /PEM/],
    ['an EC key', voiceAccountSchema, { ...voice, privateKey: ec }, 'privateKey', /RSA/],
    [
      'an application id that is not a UUID',
      voiceAccountSchema,
      { ...voice, applicationId: 'app' },
      'applicationId',
      /UUID/,
    ],
    [
      'a host that is not an http URL',
      voiceAccountSchema,
      { ...voice, apiHost: 'file:///etc/passwd' },
      'apiHost',
      /http/,
    ],
    ['an unknown setting', voiceAccountSchema, { ...voice, apihost: 'https://x' }, '', /apihost/],
    [
      'a PKCS#1 key for unified',
      unifiedAccountSchema,
      { ...unified, privateKey: pkcs1 },
      'privateKey',
      /openssl pkcs8 -topk8/,
    ],
    [
      'a project key that is not a number',
      opentokAccountSchema,
      { ...opentok, apiKey: applicationId },
      'apiKey',
      /number/,
    ],
    [
      'a SIP host with a parameter',
      opentokAccountSchema,
      { ...opentok, sip: { ...sip, host: 'sip.nexmo.com;x=y' } },
      'sip.host',
      /host name/,
    ],
    [
      'an empty SIP password',
      opentokAccountSchema,
      { ...opentok, sip: { ...sip, password: '' } },
      'sip.password',
      /API secret/,
    ],
  ];

  it.each(invalid)('reject %s, and name the setting', (_what, schema, account, path, message) => {
    const issues = schema.safeParse(account).error?.issues ?? [];
    expect(issues.map((issue) => issue.path.join('.'))).toEqual([path]);
    expect(issues[0]?.message).toMatch(message);
  });
});
