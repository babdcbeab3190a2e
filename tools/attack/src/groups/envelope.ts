import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { openPinVault, type PinVault } from '@partyline/conference/pins/pin-vault';
import { seededRandomInt } from '@partyline/testing/seeded';
import type { Group } from '../group.ts';
import type { ToSeal } from '../seal-many.ts';

interface Vaults {
  readonly seed: number;
  /** What is attacked; a test gives one that opens anything. */
  readonly openVault?: (key: Buffer) => PinVault;
  /** Seals so often under one key, and gives the nonces, one after another. */
  readonly sealMany?: (count: number) => Promise<Uint8Array>;
}

const PIN = '407281935';
const NONCE_BYTES = 12;
const SEALINGS = 1_000_000;

/** Sealed PINs that were changed, moved, cut or sealed with another key. */
export const envelope: Group<Vaults> = {
  name: 'sealed secrets',
  says: 'PINs sealed by AES-256-GCM: bits flipped, moved to another row, cut, lengthened, another key, a nonce used twice',
  least: 1_000,
  run: async ({ seed, openVault = openPinVault, sealMany = sealInThreads }, tally) => {
    const random = seededRandomInt(seed);
    const vault = openVault(randomBytes(32));
    const opens = (by: PinVault, sealed: Uint8Array, row: string): string | null => {
      try {
        return `opened as ${by.decrypt(sealed, row) === PIN ? 'the PIN' : 'something else'}`;
      } catch {
        return null;
      }
    };
    const sealed = vault.encrypt(PIN, 'pin_1');
    if (vault.decrypt(sealed, 'pin_1') !== PIN) throw new Error('What was sealed does not open.');
    for (let bit = 0; bit < sealed.length * 8; bit++)
      tally.judge(`bit ${bit} flipped`, opens(vault, withBit(sealed, bit), 'pin_1'));
    for (let length = 0; length < sealed.length; length++)
      tally.judge(`cut to ${length} bytes`, opens(vault, sealed.subarray(0, length), 'pin_1'));
    for (let more = 1; more <= 32; more++)
      tally.judge(`${more} bytes longer`, opens(vault, Buffer.concat([sealed, randomBytes(more)]), 'pin_1'));
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
      tally.judge(`moved to the row ${row}`, opens(vault, sealed, row));
    for (let n = 0; n < 200; n++) tally.judge('another key', opens(openVault(randomBytes(32)), sealed, 'pin_1'));
    for (let n = 0; n < 300; n++) tally.judge('noise', opens(vault, randomBytes(1 + random(80)), 'pin_1'));
    for (const length of [0, 1, 16, 24, 31, 33, 64])
      tally.judge(`a key of ${length} bytes`, takesKey(openVault, length));
    const nonces = await sealMany(SEALINGS);
    tally.judge(
      `${nonces.length / NONCE_BYTES} sealings of one PIN`,
      nonces.length !== SEALINGS * NONCE_BYTES
        ? 'were not as many as wanted'
        : hasTwins(nonces)
          ? 'used a nonce twice'
          : null,
    );
    tally.measure('nonces told apart', nonces.length / NONCE_BYTES);
    const seals = new Set(
      Array.from({ length: 100 }, () => vault.encrypt(PIN, 'pin_1').subarray(NONCE_BYTES).toString('hex')),
    );
    tally.judge('a hundred sealings of one PIN', seals.size === 100 ? null : 'gave the same ciphertext twice');
  },
};

/** Seals a PIN so often, in as many threads as there are processors for it, and gives the nonces, one after another. */
async function sealInThreads(count: number): Promise<Uint8Array> {
  const threads = Math.min(4, availableParallelism());
  const key = randomBytes(32);
  const parts = await Promise.all(
    Array.from({ length: threads }, async (_, at) => {
      const share: ToSeal = {
        key,
        nonceBytes: NONCE_BYTES,
        count: Math.floor(count / threads) + (at < count % threads ? 1 : 0),
      };
      const [nonces] = (await once(
        new Worker(new URL('../seal-many.ts', import.meta.url), { workerData: share }),
        'message',
      )) as [Uint8Array];
      return nonces;
    }),
  );
  return Buffer.concat(parts);
}

/** Whether two of very many are the same. By numbers side by side: a set of as many texts takes long. */
function hasTwins(given: Uint8Array): boolean {
  const nonces = Buffer.from(given);
  const heads = BigUint64Array.from({ length: nonces.length / NONCE_BYTES }, (_, n) =>
    nonces.readBigUInt64LE(n * NONCE_BYTES),
  );
  // Those that share their first eight bytes with another are few, or there is something wrong with all of them.
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

function withBit(bytes: Buffer, bit: number): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return changed;
}

function takesKey(openVault: (key: Buffer) => PinVault, length: number): string | null {
  try {
    openVault(Buffer.alloc(length));
    return 'was taken';
  } catch {
    return null;
  }
}
