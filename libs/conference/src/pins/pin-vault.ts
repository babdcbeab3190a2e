import { decryptWithAny, deriveKeys, encrypt, hashWithEach, type NonEmpty } from '../crypto/aead.ts';

/**
 * Stored forms of a PIN: a keyed hash for look-ups, and a ciphertext to display it to its tenant.
 * Both need the key.
 */
export interface PinVault {
  /** The look-up under each key. The first one is stored; a stored PIN may have any of them. */
  lookups(pin: string): NonEmpty<Buffer>;
  /** Binds the ciphertext to its row, so that it cannot be decrypted in another row. */
  encrypt(pin: string, pinId: string): Buffer;
  /** Throws unless one of the keys and the row are those of the encryption. */
  decrypt(ciphertext: Uint8Array, pinId: string): string;
}

/**
 * @param keys of 32 random bytes each, the same in every process (PIN_KEYS). The first one writes,
 *   all of them read. They decrypt every PIN.
 */
export function openPinVault(keys: readonly Buffer[]): PinVault {
  // Separate keys for look-up and encryption.
  const hashKeys = deriveKeys(keys, 'pin-lookup');
  const encryptionKeys = deriveKeys(keys, 'pin-seal');
  return {
    lookups: (pin) => hashWithEach(hashKeys, pin),
    encrypt: (pin, pinId) => encrypt(encryptionKeys[0], pin, pinId),
    decrypt: (ciphertext, pinId) => decryptWithAny(encryptionKeys, ciphertext, pinId),
  };
}
