import { MAX_COUNTED_PINS, PIN_HEAD_LENGTH } from '@partyline/domain/pin';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVERY_TENANT, inTransaction, openStore, type Store, type Tx } from '../database/store.ts';
import { purgeExpired } from '../reconciliation/purge.ts';
import { closeRoom } from '../rooms/rooms.ts';
import { freshId, lookupOf, makeNumbers, makeRoom, NUMBER, OTHER_NUMBER, type TestRoom } from '../testing/fixtures.ts';
import { claimPin, countPins } from './pins.ts';

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  await makeNumbers(store);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const LONG_AGO = new Date('2020-01-01T00:00:00Z');

describe('countPins', () => {
  it('counts up to MAX_COUNTED_PINS', async () => {
    const number = '+442079460002';
    await store.prisma.dial_in_number.create({ data: { e164: number, language: 'en-GB', guarded: false } });
    const { roomId, tenantId } = await makeRoom(store, { number });
    const count = (): Promise<number> => inTransaction(store, EVERY_TENANT, (tx) => countPins(tx, number));
    const claimMany = (from: number, to: number) =>
      store.pool.query(
        `INSERT INTO pin (id, tenant_id, room_id, number, lookup, ciphertext)
         SELECT 'many ' || n, $1, $2, $3, sha256(n::text::bytea), ''
         FROM generate_series($4::int, $5) n`,
        [tenantId, roomId, number, from, to],
      );
    await claimMany(2, MAX_COUNTED_PINS - 1);
    expect(await count()).toBe(MAX_COUNTED_PINS - 1);
    await claimMany(MAX_COUNTED_PINS, MAX_COUNTED_PINS + 1);
    expect(await count()).toBe(MAX_COUNTED_PINS);
  });
});

describe('claimPin', () => {
  const claimIn = (tx: Tx, room: TestRoom, pin: string, number: string): Promise<boolean> =>
    claimPin(tx, room.tenantId, {
      id: freshId('pin'),
      roomId: room.roomId,
      number,
      lookups: [lookupOf(pin)],
      heads: [lookupOf(pin.slice(0, PIN_HEAD_LENGTH))],
      ciphertext: Buffer.from('ciphertext'),
      digits: pin.length,
    });
  const claim = (room: TestRoom, pin: string, number = NUMBER): Promise<boolean> =>
    inTransaction(store, room.tenantId, (tx) => claimIn(tx, room, pin, number));

  it('rejects the PIN of another room of any tenant on the same number, not on another number', async () => {
    const [mine, other] = [await makeRoom(store), await makeRoom(store)];
    expect(await claim(mine, '424242')).toBe(true);
    expect(await claim(other, '424242')).toBe(false);
    expect(await claim(other, '424242', OTHER_NUMBER)).toBe(true);
  });

  it('rejects the beginning of another PIN on the same number and a PIN that begins with another, of any tenant', async () => {
    const [mine, other] = [await makeRoom(store), await makeRoom(store)];
    expect(await claim(mine, '515253545')).toBe(true);
    expect(await claim(other, '5152535456')).toBe(false);
    expect(await claim(other, '51525354')).toBe(false);
    expect(await claim(other, '515253')).toBe(false);
    expect(await claim(other, '515253546')).toBe(true);
    expect(await claim(other, '5152535456', OTHER_NUMBER)).toBe(true);
    await store.prisma.pin.updateMany({
      where: { number: NUMBER, lookup: new Uint8Array(lookupOf('515253545')) },
      data: { quarantined_until: new Date('2099-01-01') },
    });
    await store.prisma.pin.deleteMany({
      where: { number: NUMBER, lookup: new Uint8Array(lookupOf('515253546')) },
    });
    expect(await claim(other, '5152535456')).toBe(false);
  });

  it('rejects a PIN that begins like one of a concurrent transaction, without waiting for it', async () => {
    const [mine, other] = [await makeRoom(store), await makeRoom(store)];
    await inTransaction(store, mine.tenantId, async (tx) => {
      expect(await claimIn(tx, mine, '616263646', NUMBER)).toBe(true);
      expect(await claim(other, '6162636465')).toBe(false);
      // The same transaction can claim several.
      expect(await claimIn(tx, mine, '616263649', NUMBER)).toBe(true);
    });
    expect(await claim(other, '6162636465')).toBe(false);
  });

  it('rejects a PIN in quarantine, which is not counted as live, until it is purged', async () => {
    const room = await makeRoom(store, { number: OTHER_NUMBER });
    const count = (): Promise<number> => inTransaction(store, EVERY_TENANT, (tx) => countPins(tx, OTHER_NUMBER));
    const before = await count();
    await inTransaction(store, room.tenantId, (tx) =>
      closeRoom(tx, room.tenantId, room.roomId, 'ended-by-tenant', 3_600),
    );
    expect(await count()).toBe(before - 1);
    const next = await makeRoom(store);
    expect(await claim(next, room.pin, OTHER_NUMBER)).toBe(false);
    await purgeExpired(store, 'pins', 1_000);
    expect(await claim(next, room.pin, OTHER_NUMBER)).toBe(false);
    await store.prisma.pin.updateMany({ where: { room_id: room.roomId }, data: { quarantined_until: LONG_AGO } });
    expect(await purgeExpired(store, 'pins', 1_000)).toBe(1);
    expect(await claim(next, room.pin, OTHER_NUMBER)).toBe(true);
  });
});
