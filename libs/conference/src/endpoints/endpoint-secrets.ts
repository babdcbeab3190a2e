import { deriveKey, encrypt, decrypt } from '../crypto/aead.ts';

/** Endpoints' secrets as they are kept: sealed, to sign with and to be shown once. */
export interface EndpointSecrets {
  encrypt(secret: string, endpointId: string): Buffer;
  /** Throws when the key or the endpoint is not the one that it was sealed with. */
  decrypt(sealed: Uint8Array, endpointId: string): string;
}

/** @param key 32 random bytes, the same in every process: PIN_KEY */
export function openEndpointSecrets(key: Buffer): EndpointSecrets {
  const sealKey = deriveKey(key, 'endpoint-secret-seal');
  return {
    encrypt: (secret, endpointId) => encrypt(sealKey, secret, endpointId),
    decrypt: (sealed, endpointId) => decrypt(sealKey, sealed, endpointId),
  };
}

/** `whsec_` and 32 random bytes in base64, as Standard Webhooks has it. @param secret 32 random bytes in base64url */
export const formatSecret = (secret: string): string => `whsec_${Buffer.from(secret, 'base64url').toString('base64')}`;
