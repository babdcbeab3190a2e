import { randomBytes } from 'node:crypto';
import { openPinVault, type PinVault } from '@partyline/conference/pin-vault';
import { seededRandomInt } from '@partyline/testing/seeded';
import type { Group } from '../group.ts';

export interface Vaults {
  readonly seed: number;
  /** What is attacked; a test gives one that opens anything. */
  readonly openVault?: (key: Buffer) => PinVault;
}

const PIN = '407281935';
const NONCE_BYTES = 12;
const SEALINGS = 20_000;

/** Sealed PINs that were changed, moved, cut or sealed with another key. */
export const envelope: Group<Vaults> = {
  name: 'sealed secrets',
  says: 'PINs sealed by AES-256-GCM: bits flipped, moved to another row, cut, lengthened, another key, a nonce used twice',
  least: 1_000,
  run: async ({ seed, openVault = openPinVault }, tally) => {
    const random = seededRandomInt(seed);
    const vault = openVault(randomBytes(32));
    const opens = (by: PinVault, sealed: Uint8Array, row: string): string | null => {
      try {
        return `opened as ${by.open(sealed, row) === PIN ? 'the PIN' : 'something else'}`;
      } catch {
        return null;
      }
    };
    const sealed = vault.seal(PIN, 'pin_1');
    if (vault.open(sealed, 'pin_1') !== PIN) throw new Error('What was sealed does not open.');
    for (let bit = 0; bit < sealed.length * 8; bit++) tally.judge(`bit ${bit} flipped`, opens(vault, withBit(sealed, bit), 'pin_1'));
    for (let length = 0; length < sealed.length; length++) tally.judge(`cut to ${length} bytes`, opens(vault, sealed.subarray(0, length), 'pin_1'));
    for (let more = 1; more <= 32; more++) tally.judge(`${more} bytes longer`, opens(vault, Buffer.concat([sealed, randomBytes(more)]), 'pin_1'));
    for (const row of ['pin_2', 'pin_1 ', 'PIN_1', 'pin_', '', 'pin_10', 'pin_1\u0000', ...Array.from({ length: 150 }, () => `pin_${random(1 << 30)}`)]) tally.judge(`moved to the row ${row}`, opens(vault, sealed, row));
    for (let n = 0; n < 200; n++) tally.judge('another key', opens(openVault(randomBytes(32)), sealed, 'pin_1'));
    for (let n = 0; n < 300; n++) tally.judge('noise', opens(vault, randomBytes(1 + random(80)), 'pin_1'));
    for (const length of [0, 1, 16, 24, 31, 33, 64]) tally.judge(`a key of ${length} bytes`, takesKey(openVault, length));
    const nonces = new Set(Array.from({ length: SEALINGS }, () => vault.seal(PIN, 'pin_1').subarray(0, NONCE_BYTES).toString('hex')));
    tally.judge(`${SEALINGS} sealings of one PIN`, nonces.size === SEALINGS ? null : 'used a nonce twice');
    const seals = new Set(Array.from({ length: 100 }, () => vault.seal(PIN, 'pin_1').subarray(NONCE_BYTES).toString('hex')));
    tally.judge('a hundred sealings of one PIN', seals.size === 100 ? null : 'gave the same ciphertext twice');
  },
};

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
