import { createCipheriv, createDecipheriv, createHmac, createSecretKey, randomBytes } from 'node:crypto';

/** PINs as they are kept: a keyed hash to find one by, a ciphertext to show it to its tenant again. Neither is of use without the key. */
export interface PinVault {
  lookup(pin: string): Buffer;
  /** Bound to its row, so that a ciphertext moved to another row does not open. */
  seal(pin: string, pinId: string): Buffer;
  /** Throws when the key or the row is not the one that it was sealed with. */
  open(sealed: Uint8Array, pinId: string): string;
}

const IV_BYTES = 12;
const TAG_BYTES = 16;

/** @param key 32 random bytes, the same in every process; who has it can read every PIN */
export function openPinVault(key: Buffer): PinVault {
  if (key.length !== 32) throw new Error('The PIN key must be 32 bytes.');
  // Two keys of one: what finds a PIN must not be what opens it.
  const derive = (use: string): Buffer => createHmac('sha256', key).update(use).digest();
  const hashKey = createSecretKey(derive('pin-lookup'));
  const sealKey = createSecretKey(derive('pin-seal'));
  return {
    lookup: (pin) => createHmac('sha256', hashKey).update(pin).digest(),
    seal(pin, pinId) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', sealKey, iv).setAAD(Buffer.from(pinId));
      return Buffer.concat([iv, cipher.update(pin), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed, pinId) {
      const bytes = Buffer.from(sealed);
      const decipher = createDecipheriv('aes-256-gcm', sealKey, bytes.subarray(0, IV_BYTES)).setAAD(Buffer.from(pinId)).setAuthTag(bytes.subarray(-TAG_BYTES));
      return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]).toString();
    },
  };
}
