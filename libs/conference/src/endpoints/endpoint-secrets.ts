import { deriveKey, encrypt, decrypt } from '../crypto/aead.ts';

/** Encrypts and decrypts the signing secrets of endpoints. */
export interface EndpointSecrets {
  encrypt(secret: string, endpointId: string): Buffer;
  /** Throws unless key and endpoint are those of the encryption. */
  decrypt(ciphertext: Uint8Array, endpointId: string): string;
}

/** @param key 32 random bytes, the same in every process: PIN_KEY */
export function openEndpointSecrets(key: Buffer): EndpointSecrets {
  const encryptionKey = deriveKey(key, 'endpoint-secret-seal');
  return {
    encrypt: (secret, endpointId) => encrypt(encryptionKey, secret, endpointId),
    decrypt: (ciphertext, endpointId) => decrypt(encryptionKey, ciphertext, endpointId),
  };
}

/**
 * Formats a secret for Standard Webhooks: `whsec_` and base64.
 * @param secret 32 random bytes in base64url
 */
export const formatSecret = (secret: string): string => `whsec_${Buffer.from(secret, 'base64url').toString('base64')}`;
