import { createPrivateKey } from 'node:crypto';
import { HOST_AND_PORT } from '@partyline/domain/host-and-port';
import type { ProviderRegion } from '@partyline/domain/provider-region';
import { z } from 'zod';

/**
 * The provider's host; set only for tests and regions. Trailing slashes are removed, because the
 * SDKs concatenate paths (contract section 1).
 */
const host = (defaultHost: string) =>
  z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .transform((url) => url.replace(/\/+$/, ''))
    .default(defaultHost);

const isPrivateKey = (pem: string): boolean => {
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'rsa';
  } catch {
    return false;
  }
};

/** Restores line breaks, which environment variables often contain as `\n`. */
const pem = z.string().transform((text) => `${text.replaceAll(String.raw`\n`, '\n').trim()}\n`);

const privateKey = pem.refine(isPrivateKey, 'must be an RSA private key in PEM form, with its line breaks');

/**
 * A PKCS#8 key. opentok silently falls back to the legacy API for a PKCS#1 key (contract section
 * 1). The unified provider does not use opentok, but requires PKCS#8 too, so that one account works
 * with both.
 */
const pkcs8Key = pem
  .refine((text) => !text.includes('BEGIN RSA PRIVATE KEY'), {
    error:
      'must be a PKCS#8 key, not PKCS#1 (BEGIN RSA PRIVATE KEY): ' +
      'openssl pkcs8 -topk8 -nocrypt -in old.key -out new.key',
    abort: true,
  })
  .refine(isPrivateKey, 'must be an RSA private key in PEM form (BEGIN PRIVATE KEY), with its line breaks');

const secret = z.string().min(32, 'must have at least 32 characters');
const applicationId = z.uuid('must be the id of the application, a UUID');
const apiKey = z.string().min(1, 'must not be empty');

/**
 * Settings of the SIP call from the video session to our number. The digest credentials are the API
 * key and secret (contract section 5).
 */
const sip = z.strictObject({
  username: z.string().min(1, 'must be the API key of the voice account'),
  password: z.string().min(1, 'must be the API secret of the voice account'),
  host: z.string().regex(HOST_AND_PORT, 'must be a host name, with or without a port').default('sip.nexmo.com'),
  /** Encrypts the media (SRTP). */
  secure: z.boolean().default(true),
  /** Encrypts the signalling. */
  tls: z.boolean().default(true),
});

/** The API hosts of the provider's regions. */
export const VONAGE_REGION_HOSTS: Readonly<Record<ProviderRegion, string>> = {
  us: 'https://api-us.vonage.com',
  eu: 'https://api-eu.vonage.com',
  ap: 'https://api-ap.vonage.com',
};

/** A voice account. `extraSignatureSecrets` holds the other secret during a rotation. */
export const voiceAccountSchema = z.strictObject({
  apiKey,
  applicationId,
  privateKey,
  signatureSecret: secret,
  extraSignatureSecrets: z
    .array(secret)
    .max(1, 'must contain at most one secret, the other one of a rotation')
    .default([]),
  apiHost: host('https://api.nexmo.com'),
});

const extraCallbackSecrets = z
  .array(secret)
  .max(1, 'must contain at most one secret, the other one of a rotation')
  .default([]);

/**
 * A legacy OpenTok project. `callbackSecret` signs its monitoring callbacks; `extraCallbackSecrets`
 * holds the other secret during a rotation.
 */
export const opentokAccountSchema = z.strictObject({
  apiKey: z.string().regex(/^\d{1,20}$/, 'must be the project key, a number'),
  apiSecret: z.string().min(1, 'must not be empty'),
  apiHost: host('https://api.opentok.com'),
  sip,
  callbackSecret: secret,
  extraCallbackSecrets,
});

/** A Vonage application with the video capability. */
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
