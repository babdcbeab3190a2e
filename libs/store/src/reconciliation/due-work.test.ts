import { purgeExpired, PURGE_KINDS } from './purge.ts';
import { claimPin, countPins } from '../pins/pins.ts';
import { LEG_STATES } from '@partyline/domain/leg';
import { MAX_COUNTED_PINS } from '@partyline/domain/pin';
import { SESSION_STATES } from '@partyline/domain/session';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { listDueWork, type DueWork } from './due-work.ts';
import { closeRoom } from '../rooms/rooms.ts';
import { EVERY_TENANT, inTransaction, openStore, type Store } from '../database/store.ts';
import {
  freshId,
  lookupOf,
  makeLeg,
  makeNumbers,
  makeRoom,
  NUMBER,
  OTHER_NUMBER,
  setColumns,
  type TestRoom,
} from '../testing/fixtures.ts';

let database: TestDatabase;
let store: Store;
/** By the database's clock, which what is owed is on. */
const LONG_AGO = new Date('2020-01-01T00:00:00Z');
const FAR = new Date('2099-01-01T00:00:00Z');

beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  await makeNumbers(store);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

/** Under which headings a thing is listed, with any grace. */
async function listsOf(id: string, graceMs = 2_000): Promise<string[]> {
  const owed = await listDueWork(store, { graceMs });
  return (Object.entries(owed) as [keyof DueWork, readonly { id: string }[]][])
    .filter(([, list]) => list.some((each) => each.id === id))
    .map(([heading]) => heading);
}

describe('what is owed of a session', () => {
  const rows = SESSION_STATES.flatMap((state) => {
    const runs = state === 'open' || state === 'live';
    return [
      { state, columns: {}, listed: [] as string[] },
      { state, columns: { due_at: LONG_AGO }, listed: runs ? ['overdue'] : [] },
      { state, columns: { ending_at: LONG_AGO }, listed: state === 'ending' ? ['ending'] : [] },
      { state, columns: { settle_due_at: LONG_AGO }, listed: ['settle'] },
      { state, columns: { bridge_due_at: LONG_AGO }, listed: ['bridge'] },
      { state, columns: { bridge_due_at: FAR, settle_due_at: FAR }, listed: [] },
    ];
  });
  test.each(rows)('$state with $columns: $listed', async ({ state, columns, listed }) => {
    const room = await makeRoom(store);
    await setColumns(store, 'session', room.sessionId, { state, due_at: FAR, ...columns });
    expect(await listsOf(room.sessionId)).toEqual(listed);
  });

  it('is left to its job for the time of grace', async () => {
    const room = await makeRoom(store);
    await store.pool.query(
      `UPDATE session SET state = 'ending', ending_at = now() - interval '5 seconds' WHERE id = $1`,
      [room.sessionId],
    );
    expect(await listsOf(room.sessionId, 60_000)).toEqual([]);
    expect(await listsOf(room.sessionId, 1_000)).toEqual(['ending']);
  });

  it('comes with its tenant', async () => {
    const room = await makeRoom(store);
    await setColumns(store, 'session', room.sessionId, { settle_due_at: LONG_AGO });
    expect((await listDueWork(store, { graceMs: 0 })).settle).toContainEqual({
      tenant_id: room.tenantId,
      id: room.sessionId,
    });
  });
});

describe('what is owed of a leg', () => {
  const inSession = (
    kind: 'inbound' | 'outbound' | 'webrtc' | 'bridge',
    session: 'live' | 'ending' | 'ended',
    leg: object,
    listed: (state: string) => string[],
  ) => LEG_STATES.map((state) => ({ kind, session: session as string | null, state, leg, listed: listed(state) }));
  const alone = (leg: object, listed: (state: string) => string[]) =>
    LEG_STATES.map((state) => ({ kind: 'inbound' as const, session: null, state, leg, listed: listed(state) }));
  const never = () => [];
  const up = (state: string) => (state === 'ended' ? [] : ['hangUpLegs']);
  const ending = (state: string) => (state === 'ending' ? ['hangUpLegs'] : []);

  test.each([
    ...alone({ deadline_at: FAR }, never),
    ...alone({ deadline_at: LONG_AGO }, up),
    // A good-bye is being spoken.
    ...alone({ deadline_at: FAR, hangup_requested_at: LONG_AGO }, never),
    ...inSession('inbound', 'live', { deadline_at: LONG_AGO }, never),
    ...inSession('inbound', 'live', { deadline_at: FAR, hangup_requested_at: LONG_AGO }, ending),
    // The session itself is listed.
    ...inSession('inbound', 'ending', { deadline_at: FAR, hangup_requested_at: LONG_AGO }, never),
    ...inSession('webrtc', 'ended', { deadline_at: FAR, hangup_requested_at: LONG_AGO }, ending),
    ...inSession('outbound', 'live', { created_at: LONG_AGO }, (state) => (state === 'requested' ? ['dial'] : [])),
    ...inSession('outbound', 'live', { created_at: FAR }, never),
    ...inSession('inbound', 'live', { created_at: LONG_AGO }, never),
  ])('$kind $state, session $session, $leg: $listed', async ({ kind, session, state, leg, listed }) => {
    const room = await makeRoom(store);
    if (session !== null) await setColumns(store, 'session', room.sessionId, { state: session });
    const legId = await makeLeg(store, room, { kind, state });
    await setColumns(store, 'leg', legId, {
      ...leg,
      ...(session === null ? { session_id: null, tenant_id: null } : {}),
    });
    expect(await listsOf(legId)).toEqual(listed);
  });

  it('is listed once, by the limit at most', async () => {
    const room = await makeRoom(store);
    const legId = await makeLeg(store, room, { kind: 'inbound', state: 'ending' });
    await setColumns(store, 'leg', legId, {
      session_id: null,
      tenant_id: null,
      deadline_at: LONG_AGO,
      hangup_requested_at: LONG_AGO,
    });
    const { hangUpLegs } = await listDueWork(store, { graceMs: 0 });
    expect(hangUpLegs.filter((each) => each.id === legId)).toHaveLength(1);
    expect((await listDueWork(store, { graceMs: 0, limit: 1 })).hangUpLegs).toHaveLength(1);
  });
});

describe('a PIN on a number', () => {
  it('is counted up to where the next has the most digits', async () => {
    const number = '+442079460002';
    await store.prisma.dial_in_number.create({ data: { e164: number, language: 'en-GB', guarded: false } });
    const { roomId, tenantId } = await makeRoom(store, { number });
    const count = (): Promise<number> => inTransaction(store, EVERY_TENANT, (tx) => countPins(tx, number));
    const claimMany = (from: number, to: number) =>
      store.pool.query(
        `INSERT INTO pin (id, tenant_id, room_id, number, lookup, sealed) SELECT 'many ' || n, $1, $2, $3, sha256(n::text::bytea), '' FROM generate_series($4::int, $5) n`,
        [tenantId, roomId, number, from, to],
      );
    await claimMany(2, MAX_COUNTED_PINS - 1);
    expect(await count()).toBe(MAX_COUNTED_PINS - 1);
    await claimMany(MAX_COUNTED_PINS, MAX_COUNTED_PINS + 1);
    expect(await count()).toBe(MAX_COUNTED_PINS);
  });

  const claim = (room: TestRoom, pin: string, number = NUMBER): Promise<boolean> =>
    inTransaction(store, room.tenantId, (tx) =>
      claimPin(tx, room.tenantId, {
        id: freshId('pin'),
        roomId: room.roomId,
        number,
        lookup: lookupOf(pin),
        sealed: Buffer.from('sealed'),
        digits: 9,
      }),
    );

  it('is one room’s at a time, whoever’s the other is; on another number it is another', async () => {
    const [mine, other] = [await makeRoom(store), await makeRoom(store)];
    expect(await claim(mine, '424242')).toBe(true);
    expect(await claim(other, '424242')).toBe(false);
    expect(await claim(other, '424242', OTHER_NUMBER)).toBe(true);
  });

  it('stays taken in quarantine, is not counted as live, and is free when that is over', async () => {
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

test('used tokens are forgotten when they would be stale anyway, not before', async () => {
  await store.prisma.webhook_jti.createMany({
    data: [
      { jti: 'old', expires_at: LONG_AGO },
      { jti: 'new', expires_at: FAR },
    ],
  });
  expect(await purgeExpired(store, 'tokens', 1_000)).toBe(1);
  expect(await store.prisma.webhook_jti.findMany({ select: { jti: true } })).toContainEqual({ jti: 'new' });
});

describe('what has served', () => {
  it('is forgotten a few at a time, the oldest first, however many ask at once', async () => {
    const data = Array.from({ length: 25 }, (_, i) => ({
      jti: `old ${i}`,
      expires_at: new Date(LONG_AGO.getTime() + i * 1_000),
    }));
    await store.prisma.webhook_jti.createMany({ data });
    expect(await purgeExpired(store, 'tokens', 5)).toBe(5);
    expect(
      await store.prisma.webhook_jti.count({ where: { expires_at: { lt: new Date(LONG_AGO.getTime() + 5_000) } } }),
    ).toBe(0);
    const counts = await Promise.all(Array.from({ length: 4 }, () => purgeExpired(store, 'tokens', 5)));
    for (const count of counts) expect(count).toBeLessThanOrEqual(5);
    while ((await purgeExpired(store, 'tokens', 5)) > 0);
    expect(await store.prisma.webhook_jti.count({ where: { expires_at: { lt: new Date() } } })).toBe(0);
  });

  it.each(PURGE_KINDS)('is of nobody’s interest when there is none: %s', async (kind) => {
    while ((await purgeExpired(store, kind, 1_000)) > 0);
    expect(await purgeExpired(store, kind, 1_000)).toBe(0);
  });
});
