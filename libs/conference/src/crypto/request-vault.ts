import { decryptWithAny, deriveKeys, encrypt, hashWithEach, type NonEmpty } from './aead.ts';

/**
 * Encrypts what is stored of requests with an Idempotency-Key: responses may contain PINs, tokens
 * and secrets.
 */
export interface RequestVault {
  encrypt(text: string, boundTo: string): Buffer;
  /** Throws unless one of the keys and `boundTo` are those of the encryption. */
  decrypt(ciphertext: Uint8Array, boundTo: string): string;
  /**
   * Keyed hashes to recognise a repeated request, one for each key; the first one is stored. A
   * plain hash would let phone numbers be guessed.
   */
  fingerprints(request: string): NonEmpty<Buffer>;
}

/** @param keys PIN_KEYS: the first one encrypts, all of them decrypt */
export function openRequestVault(keys: readonly Buffer[]): RequestVault {
  const encryptionKeys = deriveKeys(keys, 'request-seal');
  const hashKeys = deriveKeys(keys, 'request-fingerprint');
  return {
    encrypt: (text, boundTo) => encrypt(encryptionKeys[0], text, boundTo),
    decrypt: (ciphertext, boundTo) => decryptWithAny(encryptionKeys, ciphertext, boundTo),
    fingerprints: (request) => hashWithEach(hashKeys, request),
  };
}
