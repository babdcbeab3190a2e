import { createHmac } from 'node:crypto';
import { deriveKey, encrypt, decrypt } from '../crypto/aead.ts';

/**
 * Stored forms of a PIN: a keyed hash for look-ups, and a ciphertext to display it to its tenant.
 * Both need the key.
 */
export interface PinVault {
  lookup(pin: string): Buffer;
  /** Binds the ciphertext to its row, so that it cannot be decrypted in another row. */
  encrypt(pin: string, pinId: string): Buffer;
  /** Throws unless key and row are those of the encryption. */
  decrypt(ciphertext: Uint8Array, pinId: string): string;
}

/** @param key 32 random bytes, the same in every process; it decrypts every PIN */
export function openPinVault(key: Buffer): PinVault {
  if (key.length !== 32) throw new Error('The PIN key must be 32 bytes.');
  // Separate keys for look-up and encryption.
  const hashKey = deriveKey(key, 'pin-lookup');
  const encryptionKey = deriveKey(key, 'pin-seal');
  return {
    lookup: (pin) => createHmac('sha256', hashKey).update(pin).digest(),
    encrypt: (pin, pinId) => encrypt(encryptionKey, pin, pinId),
    decrypt: (ciphertext, pinId) => decrypt(encryptionKey, ciphertext, pinId),
  };
}
