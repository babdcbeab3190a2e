import { decryptWithAny, deriveKeys, encrypt } from '../crypto/aead.ts';

/** Encrypts and decrypts the signing secrets of endpoints. */
export interface EndpointSecrets {
  encrypt(secret: string, endpointId: string): Buffer;
  /** Throws unless one of the keys and the endpoint are those of the encryption. */
  decrypt(ciphertext: Uint8Array, endpointId: string): string;
}

/** @param keys PIN_KEYS: the first one encrypts, all of them decrypt */
export function openEndpointSecrets(keys: readonly Buffer[]): EndpointSecrets {
  const encryptionKeys = deriveKeys(keys, 'endpoint-secret-seal');
  return {
    encrypt: (secret, endpointId) => encrypt(encryptionKeys[0], secret, endpointId),
    decrypt: (ciphertext, endpointId) => decryptWithAny(encryptionKeys, ciphertext, endpointId),
  };
}

/**
 * Formats a secret for Standard Webhooks: `whsec_` and base64.
 * @param secret 32 random bytes in base64url
 */
export const formatSecret = (secret: string): string => `whsec_${Buffer.from(secret, 'base64url').toString('base64')}`;
