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
let numberCount = 0;
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
const operatorDeps = () => ({
  store,
  jobs: { enqueue: async () => undefined, armHangUp: async () => undefined, assertReachable: async () => undefined },
  report: { count: () => undefined, warn: () => undefined, observe: () => undefined },
});
async function addNumber(): Promise<string> {
  const e164 = `+1202555${String((numberCount += 1)).padStart(4, '0')}`;
  await store.prisma.dial_in_number.create({ data: { e164 } });
  return e164;
}
/** Creates a room. @param duringRequest runs while the provider opens the video session */
const createRoomOn = (number: string, duringRequest: () => Promise<unknown> = async () => undefined, settings = {}) =>
  createRoom(
    {
      store,
      ids,
      pins: openPinVault([Buffer.alloc(32, 7)]),
      random: seededRandomInt(1),
      provider: {
        openMedia: async ({ participantId }) => (
          await duringRequest(),
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
const countRooms = (number: string): Promise<number> => store.prisma.room.count({ where: { number } });

it('createRoom fails when its number is reassigned or deleted while the video session is opened', async () => {
  const [given, gone] = [await addNumber(), await addNumber()];
  await expect(
    createRoomOn(given, () => updateNumber(operatorDeps(), given, { dedicated_to: 'ten_b' })),
  ).rejects.toMatchObject({
    verdict: { reason: 'temporarily-unavailable' },
    retryAfterMs: 1_000,
  });
  await expect(createRoomOn(gone, () => deleteNumber(operatorDeps(), gone))).rejects.toMatchObject({
    verdict: { reason: 'temporarily-unavailable' },
  });
  expect([await countRooms(given), await countRooms(gone)]).toEqual([0, 0]);
});

it('createRoom rejects a room without PINs when its number has become shared in the meantime', async () => {
  const number = await addNumber();
  await updateNumber(operatorDeps(), number, { dedicated_to: 'ten_a' });
  await expect(
    createRoomOn(number, () => updateNumber(operatorDeps(), number, { dedicated_to: null }), { pinless: true }),
  ).rejects.toMatchObject({ verdict: { reason: 'number-not-dedicated' } });
});

it('updateNumber waits for a concurrent createRoom, and then rejects a new tenant', async () => {
  const number = await addNumber();
  const creating = await store.pool.connect();
  await creating.query('BEGIN');
  await lockNumberForRoom(creating, 'ten_a', number);
  await insertRoom(creating, 'ten_a', {
    room: {
      id: 'room_creating',
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
    participant: { id: 'part_creating', name: 'Host' },
  });
  const update = updateNumber(operatorDeps(), number, { dedicated_to: 'ten_b' }).then(
    () => 'updated',
    (error: VerdictError) => error.verdict.reason,
  );
  const countLockWaits = `
    SELECT count(*)::int AS n
    FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  await expect
    .poll(async () => (await store.pool.query<{ n: number }>(countLockWaits)).rows[0]?.n, { timeout: 30_000 })
    .toBe(1);
  await creating.query('COMMIT');
  creating.release();
  expect(await update).toBe('number-has-rooms');
});
