import { createHmac } from 'node:crypto';
import { deriveKey, encrypt, decrypt } from './aead.ts';

/** What is kept of requests that came with an Idempotency-Key: their answers may hold PINs, tokens and secrets, so none of it can be read without the key. */
export interface RequestVault {
  encrypt(text: string, boundTo: string): Buffer;
  /** Throws when the key or the row is not the one that it was sealed with. */
  decrypt(sealed: Uint8Array, boundTo: string): string;
  /** The same for the same request; says nothing of it, though phone numbers could be guessed from a plain hash. */
  fingerprint(request: string): Buffer;
}

/** @param key 32 random bytes, the same in every process: PIN_KEY */
export function openRequestVault(key: Buffer): RequestVault {
  const sealKey = deriveKey(key, 'request-seal');
  const hashKey = deriveKey(key, 'request-fingerprint');
  return {
    encrypt: (text, boundTo) => encrypt(sealKey, text, boundTo),
    decrypt: (sealed, boundTo) => decrypt(sealKey, sealed, boundTo),
    fingerprint: (request) => createHmac('sha256', hashKey).update(request).digest(),
  };
}
