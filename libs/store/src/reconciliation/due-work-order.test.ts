import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { listDueWork, type DueWork } from './due-work.ts';
import { closeRoom } from '../rooms/rooms.ts';
import { inTransaction, openStore, type Store } from '../database/store.ts';
import { makeLeg, makeNumbers, makeRoom, setColumns, type TestRoom } from '../testing/fixtures.ts';

let database: TestDatabase;
let store: Store;
const LONG_AGO = new Date('2020-01-01T00:00:00Z');
const FAR = new Date('2099-01-01T00:00:00Z');
/** Days of January 2020. */
const day = (n: number): Date => new Date(Date.UTC(2020, 0, n));

beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  await makeNumbers(store);
});
beforeEach(() => store.pool.query('TRUNCATE room, leg, outbox CASCADE'));
afterAll(async () => {
  await store.close();
  await database.drop();
});

async function roomWith(session: Record<string, unknown>): Promise<TestRoom> {
  const room = await makeRoom(store);
  await setColumns(store, 'session', room.sessionId, { due_at: FAR, ...session });
  return room;
}
const sessionWith = async (columns: Record<string, unknown>): Promise<string> => (await roomWith(columns)).sessionId;

describe('listDueWork with more work than the limit', () => {
  const kinds: readonly { what: string; list: keyof DueWork; makeDue: (at: Date) => Promise<string> }[] = [
    { what: 'sessions to settle', list: 'settle', makeDue: (at) => sessionWith({ settle_due_at: at }) },
    {
      what: 'sessions with a dial without news',
      list: 'settle',
      makeDue: async (at) => {
        const room = await roomWith({});
        for (let i = 0; i < 3; i++) await makeLeg(store, room, { kind: 'outbound', state: 'dialling', dialled_at: at });
        return room.sessionId;
      },
    },
    {
      what: 'sessions past their deadline',
      list: 'overdue',
      makeDue: (at) => sessionWith({ state: 'live', due_at: at }),
    },
    { what: 'ending sessions', list: 'ending', makeDue: (at) => sessionWith({ state: 'ending', ending_at: at }) },
    { what: 'bridges to dial', list: 'bridge', makeDue: (at) => sessionWith({ state: 'live', bridge_due_at: at }) },
    {
      what: 'bridge dials without a reply',
      list: 'unansweredBridges',
      makeDue: async (at) => makeLeg(store, await roomWith({}), { kind: 'bridge', state: 'dialling', dialled_at: at }),
    },
    {
      what: 'outbound legs to dial',
      list: 'dial',
      makeDue: async (at) =>
        makeLeg(store, await roomWith({}), { kind: 'outbound', state: 'requested', created_at: at }),
    },
    {
      what: 'callers past their deadline',
      list: 'hangUpLegs',
      makeDue: async (at) => {
        const id = await makeLeg(store, await roomWith({}), { kind: 'inbound', state: 'answered' });
        await setColumns(store, 'leg', id, { session_id: null, tenant_id: null, deadline_at: at });
        return id;
      },
    },
    {
      what: 'ending legs',
      list: 'hangUpLegs',
      makeDue: async (at) =>
        makeLeg(store, await roomWith({}), { kind: 'webrtc', state: 'ending', hangup_requested_at: at }),
    },
  ];

  it.each(kinds)('lists $what by their due time', async ({ list, makeDue }) => {
    const ids = new Map<number, string>();
    for (const n of [4, 1, 6, 3, 5, 2]) ids.set(n, await makeDue(day(n)));
    const inOrder = [1, 2, 3, 4, 5, 6].map((n) => ids.get(n));
    for (const limit of [1, 2, 4, 500])
      expect((await listDueWork(store, { graceMs: 0, limit }))[list].map(({ id }) => id)).toEqual(
        inOrder.slice(0, limit),
      );
  });

  it('lists the longest due within the default limit', async () => {
    const { tenantId, roomId } = await roomWith({ state: 'ended' });
    await store.pool.query(
      `INSERT INTO session (id, tenant_id, room_id, state, conversation, due_at, due_reason, settle_due_at)
       SELECT 'many_' || n, $1, $2, 'ended', 'many_' || n, now(), 'empty',
         $3::timestamptz + make_interval(secs => (n * 7919) % 1009)
       FROM generate_series(1, 1009) AS n`,
      [tenantId, roomId, LONG_AGO],
    );
    const { settle } = await listDueWork(store, { graceMs: 0 });
    const { rows } = await store.pool.query<{ id: string }>(
      'SELECT id FROM session WHERE settle_due_at IS NOT NULL ORDER BY settle_due_at LIMIT 500',
    );
    expect(settle.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
  });
});

describe('listDueWork for hang-ups', () => {
  it('lists sessions without attempts first, then by the last attempt', async () => {
    const ending = async (attemptedAt: Date | null): Promise<string> => {
      const room = await makeRoom(store);
      await setColumns(store, 'session', room.sessionId, {
        state: 'ending',
        ending_at: attemptedAt === null ? new Date('2021-01-01T00:00:00Z') : LONG_AGO,
      });
      await makeLeg(store, room, {
        kind: 'inbound',
        state: 'ending',
        hangup_attempted_at: attemptedAt,
        hangup_requested_at: LONG_AGO,
      });
      await makeLeg(store, room, { kind: 'webrtc', state: 'ended' });
      return room.sessionId;
    };
    const lately = await ending(new Date('2020-01-03T00:00:00Z'));
    const before = await ending(new Date('2020-01-02T00:00:00Z'));
    const never = await ending(null);
    const list = async (limit: number) => (await listDueWork(store, { graceMs: 0, limit })).ending.map(({ id }) => id);
    expect(await list(1)).toEqual([never]);
    expect(await list(2)).toEqual([never, before]);
    expect(await list(500)).toEqual([never, before, lately]);
  });

  it('lists a session with one leg without an attempt first', async () => {
    const attempted = await roomWith({ state: 'ending', ending_at: day(1) });
    await makeLeg(store, attempted, {
      kind: 'inbound',
      state: 'ending',
      hangup_attempted_at: day(2),
      hangup_requested_at: day(1),
    });
    const half = await roomWith({ state: 'ending', ending_at: day(3) });
    await makeLeg(store, half, {
      kind: 'inbound',
      state: 'ending',
      hangup_attempted_at: day(4),
      hangup_requested_at: day(3),
    });
    await makeLeg(store, half, { kind: 'webrtc', state: 'ending', hangup_requested_at: day(3) });
    expect((await listDueWork(store, { graceMs: 0, limit: 1 })).ending.map(({ id }) => id)).toEqual([half.sessionId]);
  });

  it('lists single legs in the same order', async () => {
    const room = await makeRoom(store);
    const makeEndingLeg = (attemptedAt: Date | null) =>
      makeLeg(store, room, {
        kind: 'inbound',
        state: 'ending',
        hangup_attempted_at: attemptedAt,
        hangup_requested_at: LONG_AGO,
      });
    const [lately, before, never] = [
      await makeEndingLeg(new Date('2020-01-03T00:00:00Z')),
      await makeEndingLeg(new Date('2020-01-02T00:00:00Z')),
      await makeEndingLeg(null),
    ];
    expect((await listDueWork(store, { graceMs: 0, limit: 2 })).hangUpLegs).toEqual(
      [never, before].map((id) => ({ tenant_id: room.tenantId, id })),
    );
    expect((await listDueWork(store, { graceMs: 0 })).hangUpLegs).toEqual(
      [never, before, lately].map((id) => ({ tenant_id: room.tenantId, id })),
    );
  });
});

it('listDueWork lists a running session of an ended room as overdue', async () => {
  const room = await roomWith({ state: 'live' });
  await inTransaction(store, room.tenantId, (tx) =>
    closeRoom(tx, room.tenantId, room.roomId, 'ended-by-tenant', 3_600),
  );
  expect((await listDueWork(store, { graceMs: -1_000 })).overdue).toEqual([
    { tenant_id: room.tenantId, id: room.sessionId },
  ]);
  await setColumns(store, 'session', room.sessionId, { due_at: LONG_AGO });
  expect((await listDueWork(store, { graceMs: 0 })).overdue).toEqual([
    { tenant_id: room.tenantId, id: room.sessionId },
  ]);
});
