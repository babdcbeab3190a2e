import { PIN_HEAD_LENGTH } from '@partyline/domain/pin';
import { inTransaction, openStore, type Store, type Tx } from '@partyline/store/database/store';
import { makeNumbers, makeRoom, NUMBER, type TestRoom } from '@partyline/store/testing/fixtures';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allocatePins } from './allocate-pins.ts';
import { fillPinHeads } from './fill-pin-heads.ts';
import { openPinVault, type PinVault } from './pin-vault.ts';

let database: TestDatabase;
let store: Store;
let room: TestRoom;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  await makeNumbers(store);
  room = await makeRoom(store);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const pins = openPinVault([Buffer.alloc(32, 7)]);
/** The random numbers by which `drawPin` draws these PINs, in their order. */
const drawsOf = (...drawn: readonly string[]): number[] =>
  drawn.flatMap((pin) =>
    [...pin].map(Number).map((digit, at, digits) => (at > 0 && digit > digits.at(at - 1)! ? digit - 1 : digit)),
  );
let created = 0;
async function allocateIn(tx: Tx, vault: PinVault, ...drawn: readonly string[]): Promise<string> {
  const draws = drawsOf(...drawn);
  const deps = { ids: { next: () => `pin_drawn_${(created += 1)}` }, pins: vault, random: () => draws.shift() ?? 0 };
  const at = { roomId: room.roomId, number: NUMBER };
  const allocated = await allocatePins(deps, tx, room.tenantId, at, [{ role: 'participant' }]);
  return allocated.at(0)!.pin;
}
const allocateWith = (vault: PinVault, ...drawn: readonly string[]): Promise<string> =>
  inTransaction(store, room.tenantId, (tx) => allocateIn(tx, vault, ...drawn));
const allocate = (...drawn: readonly string[]): Promise<string> => allocateWith(pins, ...drawn);
/** Stores a PIN of any length. */
const insertPin = (pin: string, vault: PinVault = pins): Promise<unknown> =>
  store.prisma.pin.create({
    data: {
      id: `pin_${pin}`,
      tenant_id: room.tenantId,
      room_id: room.roomId,
      number: NUMBER,
      lookup: new Uint8Array(vault.lookups(pin)[0]),
      head: new Uint8Array(vault.lookups(pin.slice(0, PIN_HEAD_LENGTH))[0]),
      ciphertext: new Uint8Array(vault.encrypt(pin, `pin_${pin}`)),
      digits: pin.length,
    },
  });

it('draws again for a PIN that begins with another one, or is its beginning', async () => {
  await insertPin('4072819353');
  await insertPin('62940518');
  expect(await allocate('407281935', '629405183', '813572946')).toBe('813572946');
});

describe('PINs from a version that stored no look-up of the first digits', () => {
  const insertOldPin = async (pin: string, vault?: PinVault): Promise<void> => {
    await insertPin(pin, vault);
    await store.prisma.pin.update({ where: { id: `pin_${pin}` }, data: { head: null, digits: null } });
  };

  it('are not the beginning of a new PIN, nor begin with one, once their look-ups are filled in', async () => {
    await insertOldPin('5180273946');
    await insertOldPin('90518273');
    await insertOldPin('27183640', openPinVault([Buffer.alloc(32, 9)]));
    // As long as they have no look-up.
    expect(await allocate('518027394')).toBe('518027394');
    await store.prisma.pin.deleteMany({ where: { digits: 9 } });

    expect(await fillPinHeads({ store, pins })).toEqual({ filled: 2, unreadable: 1 });
    expect(await allocate('518027394', '905182736', '163705284')).toBe('163705284');
    expect(await store.prisma.pin.findUnique({ where: { id: 'pin_90518273' } })).toMatchObject({ digits: 8 });
    expect(await fillPinHeads({ store, pins })).toEqual({ filled: 0, unreadable: 1 });
  });

  it('are filled in with more than one batch, and without another process that does the same', async () => {
    const { count } = await store.prisma.pin.createMany({
      data: Array.from({ length: 1_100 }, (_, n) => {
        const pin = `31${String(n).padStart(6, '0')}`;
        return {
          id: `pin_${pin}`,
          tenant_id: room.tenantId,
          room_id: room.roomId,
          number: NUMBER,
          lookup: new Uint8Array(pins.lookups(pin)[0]),
          ciphertext: new Uint8Array(pins.encrypt(pin, `pin_${pin}`)),
        };
      }),
    });
    const runs = await Promise.all([fillPinHeads({ store, pins }), fillPinHeads({ store, pins })]);
    expect(runs[0].filled + runs[1].filled).toBe(count);
    await store.prisma.pin.deleteMany({ where: { digits: 8, room_id: room.roomId, id: { startsWith: 'pin_31' } } });
  });
});

describe('while a PIN key is replaced', () => {
  const [oldKey, newKey] = [Buffer.alloc(32, 7), Buffer.alloc(32, 8)];
  const [added, swapped] = [openPinVault([oldKey, newKey]), openPinVault([newKey, oldKey])];

  it('draws no PIN again that another process has stored with the other key, nor its beginning', async () => {
    expect(await allocateWith(added, '724183906')).toBe('724183906');
    expect(await allocateWith(swapped, '724183906', '350719284')).toBe('350719284');
    expect(await allocateWith(added, '350719284', '918273650')).toBe('918273650');
    await insertPin('4917283064');
    expect(await allocateWith(swapped, '491728306', '583920174')).toBe('583920174');
  });

  it('draws no PIN that another process is storing with the other key', async () => {
    await inTransaction(store, room.tenantId, async (tx) => {
      expect(await allocateIn(tx, added, '670981243')).toBe('670981243');
      expect(await allocateWith(swapped, '670981243', '209384756')).toBe('209384756');
    });
  });
});

it('keeps the longest PIN after more misses than any other length allows', async () => {
  // As many PINs as make the next one twelve digits long.
  await store.pool.query(
    `INSERT INTO pin (id, tenant_id, room_id, number, lookup, ciphertext, digits)
     SELECT 'many ' || n, $1, $2, $3, sha256(n::text::bytea), '', 12
     FROM generate_series(1, 7000) AS n`,
    [room.tenantId, room.roomId, NUMBER],
  );
  const taken = '135790864213';
  await insertPin(taken);
  expect(await allocate(...Array.from({ length: 30 }, () => taken), '246801357924')).toBe('246801357924');
});
