import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { openPinVault, type PinVault } from '@partyline/conference/pins/pin-vault';
import { seededRandomInt } from '@partyline/testing/seeded';
import type { Group } from '../group.ts';
import type { EncryptOrder } from '../encrypt-many.ts';

interface PinEncryptionInput {
  readonly seed: number;
  /** Opens the attacked vault. A test replaces it with a vault that decrypts anything. */
  readonly openVault?: (keys: readonly Buffer[]) => PinVault;
  /** Encrypts `count` times with one key and returns the concatenated nonces. */
  readonly encryptMany?: (count: number) => Promise<Uint8Array>;
}

const PIN = '407281935';
const NONCE_BYTES = 12;
const ENCRYPTIONS = 1_000_000;

/** Encrypted PINs that were changed, moved, cut or encrypted with another key. */
export const pinEncryption: Group<PinEncryptionInput> = {
  name: 'PIN encryption',
  summary:
    'PINs encrypted with AES-256-GCM: bits flipped, moved to another row, cut, lengthened, another key, ' +
    'a reused nonce',
  minInputs: 1_000,
  run: async ({ seed, openVault = openPinVault, encryptMany: sealMany = encryptInThreads }, tally) => {
    const random = seededRandomInt(seed);
    const vault = openVault([randomBytes(32)]);
    const decryptionFault = (by: PinVault, ciphertext: Uint8Array, row: string): string | null => {
      try {
        return `was decrypted to ${by.decrypt(ciphertext, row) === PIN ? 'the PIN' : 'another value'}`;
      } catch {
        return null;
      }
    };
    const ciphertext = vault.encrypt(PIN, 'pin_1');
    if (vault.decrypt(ciphertext, 'pin_1') !== PIN) throw new Error('The vault does not decrypt its own ciphertext.');
    for (let bit = 0; bit < ciphertext.length * 8; bit++)
      tally.record(`bit ${bit} flipped`, decryptionFault(vault, flipBit(ciphertext, bit), 'pin_1'));
    for (let length = 0; length < ciphertext.length; length++)
      tally.record(`cut to ${length} bytes`, decryptionFault(vault, ciphertext.subarray(0, length), 'pin_1'));
    for (let more = 1; more <= 32; more++)
      tally.record(
        `${more} bytes longer`,
        decryptionFault(vault, Buffer.concat([ciphertext, randomBytes(more)]), 'pin_1'),
      );
    for (const row of [
      'pin_2',
      'pin_1 ',
      'PIN_1',
      'pin_',
      '',
      'pin_10',
      'pin_1\u0000',
      ...Array.from({ length: 150 }, () => `pin_${random(1 << 30)}`),
    ])
      tally.record(`moved to the row ${row}`, decryptionFault(vault, ciphertext, row));
    for (let n = 0; n < 200; n++)
      tally.record('another key', decryptionFault(openVault([randomBytes(32)]), ciphertext, 'pin_1'));
    for (let n = 0; n < 300; n++) tally.record('noise', decryptionFault(vault, randomBytes(1 + random(80)), 'pin_1'));
    for (const length of [0, 1, 16, 24, 31, 33, 64])
      tally.record(`a key of ${length} bytes`, keyLengthFault(openVault, length));
    const nonces = await sealMany(ENCRYPTIONS);
    tally.record(
      `${nonces.length / NONCE_BYTES} encryptions of one PIN`,
      nonces.length !== ENCRYPTIONS * NONCE_BYTES
        ? `are not ${ENCRYPTIONS}`
        : hasDuplicates(nonces)
          ? 'used a nonce twice'
          : null,
    );
    tally.measure('nonces compared', nonces.length / NONCE_BYTES);
    const seals = new Set(
      Array.from({ length: 100 }, () => vault.encrypt(PIN, 'pin_1').subarray(NONCE_BYTES).toString('hex')),
    );
    tally.record('100 encryptions of one PIN', seals.size === 100 ? null : 'gave a ciphertext twice');
  },
};

/** Encrypts a PIN `count` times in several threads and returns the concatenated nonces. */
async function encryptInThreads(count: number): Promise<Uint8Array> {
  const threads = Math.min(4, availableParallelism());
  const key = randomBytes(32);
  const parts = await Promise.all(
    Array.from({ length: threads }, async (_, at) => {
      const share: EncryptOrder = {
        key,
        nonceBytes: NONCE_BYTES,
        count: Math.floor(count / threads) + (at < count % threads ? 1 : 0),
      };
      const [nonces] = (await once(
        new Worker(new URL('../encrypt-many.ts', import.meta.url), { workerData: share }),
        'message',
      )) as [Uint8Array];
      return nonces;
    }),
  );
  return Buffer.concat(parts);
}

/**
 * Whether two nonces are equal. Compares sorted numbers, since a set of a million strings is slow.
 */
function hasDuplicates(given: Uint8Array): boolean {
  const nonces = Buffer.from(given);
  const heads = BigUint64Array.from({ length: nonces.length / NONCE_BYTES }, (_, n) =>
    nonces.readBigUInt64LE(n * NONCE_BYTES),
  );
  // Only nonces that share their first eight bytes with another are compared in full.
  const [sorted, shared] = [heads.toSorted(), new Set<bigint>()];
  for (let n = 1; n < sorted.length; n++) if (sorted[n] === sorted[n - 1]) shared.add(sorted[n]!);
  const whole = new Set<string>();
  for (const [n, head] of heads.entries()) {
    if (!shared.has(head)) continue;
    const nonce = nonces.toString('hex', n * NONCE_BYTES, (n + 1) * NONCE_BYTES);
    if (whole.has(nonce)) return true;
    whole.add(nonce);
  }
  return false;
}

function flipBit(bytes: Buffer, bit: number): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return changed;
}

function keyLengthFault(openVault: (keys: readonly Buffer[]) => PinVault, length: number): string | null {
  try {
    openVault([Buffer.alloc(length)]);
    return 'was accepted';
  } catch {
    return null;
  }
}
