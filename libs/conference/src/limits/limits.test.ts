import { inTransaction, openStore, type Store } from '@partyline/store/database/store';
import { insertRoom } from '@partyline/store/rooms/rooms';
import { SeededIds } from '@partyline/testing/seeded';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { applyMediaEvent } from '../legs/apply-media-event.ts';
import { writeConnectionData } from '../legs/connection-data.ts';

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

it('of 40 browsers that join at once with a limit of 10 live legs, 10 stay and 30 are hung up', async () => {
  await store.prisma.tenant.create({ data: { id: 'ten_1', name: 'Tenant', max_live_legs: 10 } });
  await store.prisma.dial_in_number.create({ data: { e164: '+12025550100' } });
  const enqueued: string[] = [];
  const deps = {
    store,
    ids: new SeededIds(),
    jobs: {
      enqueue: async (name: string) => void enqueued.push(name),
      armHangUp: async () => undefined,
      assertReachable: async () => undefined,
    },
    report: { count: () => undefined, warn: () => undefined, observe: () => undefined },
  };
  const rooms = ['1', '2', '3', '4'];
  for (const room of rooms) {
    await inTransaction(store, 'ten_1', (tx) =>
      insertRoom(tx, 'ten_1', {
        room: {
          id: `room_${room}`,
          name: 'Room',
          number: '+12025550100',
          bridge: 'auto',
          max_participants: 50,
          max_duration_s: 3_600,
          never_used_s: null,
          browsers_left_s: null,
          phones_left_s: null,
          alone_s: null,
          empty_s: null,
        },
        session: { id: `ses_${room}`, conversation: `conv_${room}`, mediaSessionId: `media_${room}`, accountId: null },
        participant: { id: `part_${room}`, name: 'Host' },
      }),
    );
  }
  await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      applyMediaEvent(
        deps,
        { via: 'look-up', accountId: null },
        {
          kind: 'connected',
          mediaSessionId: `media_${rooms[i % 4]}`,
          connectionId: `con_${i}`,
          data: writeConnectionData({ participant: null }),
          at: new Date(),
        },
      ),
    ),
  );
  const legs = await store.prisma.leg.groupBy({
    by: ['state', 'hangup_reason'],
    _count: true,
    orderBy: { state: 'desc' },
  });
  expect(legs.map(({ state, hangup_reason, _count }) => [state, hangup_reason, _count])).toEqual([
    ['joined', null, 10],
    ['ending', 'limit-live-legs', 30],
  ]);
  expect(enqueued.filter((name) => name === 'hang-up-leg')).toHaveLength(30);
});
