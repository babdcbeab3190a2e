import { seededRandomInt, SeededIds } from '@partyline/testing/seeded';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import type { VerdictError } from '@partyline/domain/verdict';
import { lockNumberForRoom } from '@partyline/store/numbers/numbers';
import { insertRoom } from '@partyline/store/rooms/rooms';
import { openStore, type Store } from '@partyline/store/database/store';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { deleteNumber } from './delete-number.ts';
import { updateNumber } from './update-number.ts';
import { createRoom } from '../rooms/create-room.ts';
import { openPinVault } from '../pins/pin-vault.ts';

let database: TestDatabase;
let store: Store;
let numbers = 0;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, statementTimeoutMs: 60_000, onError: () => undefined });
  for (const id of ['ten_a', 'ten_b']) await store.prisma.tenant.create({ data: { id, name: id } });
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const ids = new SeededIds();
const operator = () => ({
  store,
  jobs: { enqueue: async () => undefined, armHangUp: async () => undefined },
  report: { count: () => undefined, warn: () => undefined, observe: () => undefined },
});
async function newNumber(): Promise<string> {
  const e164 = `+1202555${String((numbers += 1)).padStart(4, '0')}`;
  await store.prisma.dial_in_number.create({ data: { e164 } });
  return e164;
}
/** @param meanwhile what happens while the provider is asked */
const create = (number: string, meanwhile: () => Promise<unknown> = async () => undefined, settings = {}) =>
  createRoom(
    {
      store,
      ids,
      pins: openPinVault(Buffer.alloc(32, 7)),
      random: seededRandomInt(1),
      provider: {
        openMedia: async ({ participantId }) => (
          await meanwhile(),
          {
            mediaSessionId: `ms_${participantId}`,
            token: 'token',
            tokenExpiresAt: new Date(),
            client: { kind: 'unified', application: 'app' },
          }
        ),
      },
    },
    'ten_a',
    {
      name: 'Room',
      hostName: 'Host',
      numberWanted: { number },
      bridge: 'auto',
      max_participants: 10,
      max_duration_s: 3_600,
      never_used_s: null,
      browsers_left_s: null,
      phones_left_s: null,
      alone_s: null,
      empty_s: null,
      host_left_s: null,
      ...settings,
    },
  );
const roomsOn = (number: string): Promise<number> => store.prisma.room.count({ where: { number } });

it('a number that becomes another tenant’s, or goes, while a room’s video session is opened gets no room', async () => {
  const [given, gone] = [await newNumber(), await newNumber()];
  await expect(create(given, () => updateNumber(operator(), given, { dedicated_to: 'ten_b' }))).rejects.toMatchObject({
    verdict: { reason: 'temporarily-unavailable' },
    retryAfterMs: 1_000,
  });
  await expect(create(gone, () => deleteNumber(operator(), gone))).rejects.toMatchObject({
    verdict: { reason: 'temporarily-unavailable' },
  });
  expect([await roomsOn(given), await roomsOn(gone)]).toEqual([0, 0]);
});

it('a room without PINs is not made on a number that is shared by then', async () => {
  const number = await newNumber();
  await updateNumber(operator(), number, { dedicated_to: 'ten_a' });
  await expect(
    create(number, () => updateNumber(operator(), number, { dedicated_to: null }), { pinless: true }),
  ).rejects.toMatchObject({ verdict: { reason: 'number-not-dedicated' } });
});

it('a number on which a room is being made waits for it, and then does not change hands', async () => {
  const number = await newNumber();
  const making = await store.pool.connect();
  await making.query('BEGIN');
  await lockNumberForRoom(making, 'ten_a', number);
  await insertRoom(making, 'ten_a', {
    room: {
      id: 'room_making',
      name: 'Room',
      number,
      bridge: 'auto',
      max_participants: 10,
      max_duration_s: 3_600,
      never_used_s: null,
      browsers_left_s: null,
      phones_left_s: null,
      alone_s: null,
      empty_s: null,
    },
    session: null,
    participant: { id: 'part_making', name: 'Host' },
  });
  const changed = updateNumber(operator(), number, { dedicated_to: 'ten_b' }).then(
    () => 'changed',
    (error: VerdictError) => error.verdict.reason,
  );
  const waiting = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  await expect
    .poll(async () => (await store.pool.query<{ n: number }>(waiting)).rows[0]?.n, { timeout: 30_000 })
    .toBe(1);
  await making.query('COMMIT');
  making.release();
  expect(await changed).toBe('number-has-rooms');
});
