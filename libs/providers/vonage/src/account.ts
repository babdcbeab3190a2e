import { createPrivateKey } from 'node:crypto';
import { z } from 'zod';

/** Where the vendor listens. Left out but for tests and regional hosts. A trailing slash goes: the SDKs join paths by hand (contract section 1). */
const host = (usual: string) =>
  z
    .url({ protocol: /^https?$/, error: 'must be an http or https address' })
    .transform((url) => url.replace(/\/+$/, ''))
    .default(usual);

const isPrivateKey = (pem: string): boolean => {
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'rsa';
  } catch {
    return false;
  }
};

/** Newlines are often lost on the way through an environment variable. */
const pem = z.string().transform((text) => `${text.replaceAll(String.raw`\n`, '\n').trim()}\n`);

const privateKey = pem.refine(isPrivateKey, 'must be an RSA private key in PEM form, with its line breaks');

/**
 * opentok takes unified mode only for a key that begins `BEGIN PRIVATE KEY`, and falls back to the legacy API for a PKCS#1 key without a
 * word (contract section 1). The unified provider does not go through opentok; refused all the same, so that one account works in both.
 */
const pkcs8Key = pem
  .refine((text) => !text.includes('BEGIN RSA PRIVATE KEY'), {
    error:
      'is a PKCS#1 key (BEGIN RSA PRIVATE KEY); convert it: openssl pkcs8 -topk8 -nocrypt -in old.key -out new.key',
    abort: true,
  })
  .refine(isPrivateKey, 'must be an RSA private key in PEM form (BEGIN PRIVATE KEY), with its line breaks');

const secret = z.string().min(32, 'must have 32 characters or more');
const applicationId = z.uuid('must be the application’s id, a UUID');
const apiKey = z.string().min(1, 'must not be empty');

/** How the video side rings our number. The digest credentials are the account's API key and secret (contract section 5). */
const sip = z.strictObject({
  username: z.string().min(1, 'must be the API key of the voice account'),
  password: z.string().min(1, 'must be the API secret of the voice account'),
  host: z
    .string()
    .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?$/, 'must be a host name, with a port or without')
    .default('sip.nexmo.com'),
  /** Encrypts the media (SRTP). */
  secure: z.boolean().default(true),
  /** Encrypts the signalling. */
  tls: z.boolean().default(true),
});

/** A voice account. `extraSignatureSecrets` holds the other secret while one is being rotated. */
export const voiceAccountSchema = z.strictObject({
  apiKey,
  applicationId,
  privateKey,
  signatureSecret: secret,
  extraSignatureSecrets: z.array(secret).max(1, 'holds one secret: the other one of a rotation').default([]),
  apiHost: host('https://api.nexmo.com'),
});

const extraCallbackSecrets = z.array(secret).max(1, 'holds one secret: the other one of a rotation').default([]);

/** A legacy OpenTok project. `callbackSecret` signs its monitoring callbacks, `extraCallbackSecrets` holds the other secret while one is being rotated. */
export const opentokAccountSchema = z.strictObject({
  apiKey: z.string().regex(/^\d{1,20}$/, 'must be the project’s key, a number'),
  apiSecret: z.string().min(1, 'must not be empty'),
  apiHost: host('https://api.opentok.com'),
  sip,
  callbackSecret: secret,
  extraCallbackSecrets,
});

/** An application with the video capability. */
export const unifiedAccountSchema = z.strictObject({
  applicationId,
  privateKey: pkcs8Key,
  videoHost: host('https://video.api.vonage.com'),
  sip,
  callbackSecret: secret,
  extraCallbackSecrets,
});

export type SipAccount = z.output<typeof sip>;
export type VoiceAccount = z.output<typeof voiceAccountSchema>;
export type OpentokAccount = z.output<typeof opentokAccountSchema>;
export type UnifiedAccount = z.output<typeof unifiedAccountSchema>;
