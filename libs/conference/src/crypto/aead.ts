import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  randomBytes,
  type KeyObject,
} from 'node:crypto';

const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Derives the key for one use from a shared key. Keys of different uses are independent. */
export const deriveKey = (key: Buffer, use: string): KeyObject =>
  createSecretKey(createHmac('sha256', key).update(use).digest());

/** A list with at least one element. */
export type NonEmpty<T> = readonly [T, ...T[]];

/**
 * Derives the keys for one use from the keys of a ring (PIN_KEYS). Throws unless each key has 32
 * bytes.
 */
export function deriveKeys(ring: readonly Buffer[], use: string): NonEmpty<KeyObject> {
  if (ring.some((key) => key.length !== 32)) throw new Error('A PIN key must be 32 bytes.');
  const [current, ...others] = ring.map((key) => deriveKey(key, use));
  if (current === undefined) throw new Error('At least one PIN key is needed.');
  return [current, ...others];
}

/** Returns the keyed hash of a text under each key, in their order. */
export function hashWithEach([current, ...others]: NonEmpty<KeyObject>, text: string): NonEmpty<Buffer> {
  const hash = (key: KeyObject): Buffer => createHmac('sha256', key).update(text).digest();
  return [hash(current), ...others.map(hash)];
}

/** Decrypts a text with the key of a ring that encrypted it. Throws when none of them did. */
export function decryptWithAny(
  [current, ...others]: NonEmpty<KeyObject>,
  ciphertext: Uint8Array,
  associatedData: string,
): string {
  for (const key of others) {
    try {
      return decrypt(key, ciphertext, associatedData);
    } catch {
      // AES-GCM rejects the ciphertext of another key.
    }
  }
  return decrypt(current, ciphertext, associatedData);
}

/**
 * Encrypts a text with AES-256-GCM, bound to `associatedData`: a ciphertext moved to another row
 * does not decrypt.
 */
export function encrypt(key: KeyObject, text: string, associatedData: string): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(associatedData));
  return Buffer.concat([iv, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

/** Decrypts a text. Throws unless key and `associatedData` are those of the encryption. */
export function decrypt(key: KeyObject, ciphertext: Uint8Array, associatedData: string): string {
  const bytes = Buffer.from(ciphertext);
  // With an explicit tag length, so that a truncated tag is rejected.
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(associatedData))
    .setAuthTag(bytes.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]).toString();
}
