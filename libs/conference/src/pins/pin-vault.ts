import { createHmac } from 'node:crypto';
import { deriveKey, encrypt, decrypt } from '../crypto/aead.ts';

/** PINs as they are kept: a keyed hash to find one by, a ciphertext to show it to its tenant again. Neither is of use without the key. */
export interface PinVault {
  lookup(pin: string): Buffer;
  /** Bound to its row, so that a ciphertext moved to another row does not open. */
  encrypt(pin: string, pinId: string): Buffer;
  /** Throws when the key or the row is not the one that it was sealed with. */
  decrypt(sealed: Uint8Array, pinId: string): string;
}

/** @param key 32 random bytes, the same in every process; who has it can read every PIN */
export function openPinVault(key: Buffer): PinVault {
  if (key.length !== 32) throw new Error('The PIN key must be 32 bytes.');
  // Two keys of one: what finds a PIN must not be what opens it.
  const hashKey = deriveKey(key, 'pin-lookup');
  const sealKey = deriveKey(key, 'pin-seal');
  return {
    lookup: (pin) => createHmac('sha256', hashKey).update(pin).digest(),
    encrypt: (pin, pinId) => encrypt(sealKey, pin, pinId),
    decrypt: (sealed, pinId) => decrypt(sealKey, sealed, pinId),
  };
}
