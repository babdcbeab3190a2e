import { createHmac } from 'node:crypto';
import { deriveKey, encrypt, decrypt } from './aead.ts';

/**
 * Encrypts what is stored of requests with an Idempotency-Key: responses may contain PINs, tokens
 * and secrets.
 */
export interface RequestVault {
  encrypt(text: string, boundTo: string): Buffer;
  /** Throws unless key and `boundTo` are those of the encryption. */
  decrypt(ciphertext: Uint8Array, boundTo: string): string;
  /**
   * A keyed hash to recognise a repeated request. A plain hash would let phone numbers be guessed.
   */
  fingerprint(request: string): Buffer;
}

/** @param key 32 random bytes, the same in every process: PIN_KEY */
export function openRequestVault(key: Buffer): RequestVault {
  const encryptionKey = deriveKey(key, 'request-seal');
  const hashKey = deriveKey(key, 'request-fingerprint');
  return {
    encrypt: (text, boundTo) => encrypt(encryptionKey, text, boundTo),
    decrypt: (ciphertext, boundTo) => decrypt(encryptionKey, ciphertext, boundTo),
    fingerprint: (request) => createHmac('sha256', hashKey).update(request).digest(),
  };
}
