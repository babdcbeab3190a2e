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

/** A key for one use, of a key for all: what was made for one use is of none for another. */
export const deriveKey = (key: Buffer, use: string): KeyObject =>
  createSecretKey(createHmac('sha256', key).update(use).digest());

/** Encrypts a text (AES-256-GCM), bound to whose it is: moved to another row it does not open. */
export function encrypt(key: KeyObject, text: string, whose: string): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(whose));
  return Buffer.concat([iv, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

/** Throws when the key or the row is not the one that it was sealed with. */
export function decrypt(key: KeyObject, sealed: Uint8Array, whose: string): string {
  const bytes = Buffer.from(sealed);
  // With its length said, so that a tag that was cut is none.
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(whose))
    .setAuthTag(bytes.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]).toString();
}
