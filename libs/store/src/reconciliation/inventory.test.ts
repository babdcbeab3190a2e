import { LEG_STATES } from '@partyline/domain/leg';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest';
import {
  findLegsOfCalls,
  findDialsWithoutCall,
  listMediaSessionsToSweep,
  findMissingCalls,
  recordOrphanCalls,
} from './inventory.ts';
import { openStore, type Store } from '../database/store.ts';
import { freshId, makeLeg, makeNumbers, makeRoom, setColumns, type TestRoom } from '../testing/fixtures.ts';

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

/** A time in the past, on the database clock. */
async function ago(seconds: number): Promise<Date> {
  const { rows } = await store.pool.query<{ at: Date }>('SELECT now() - make_interval(secs => $1) AS at', [seconds]);
  return rows[0]?.at ?? new Date(Number.NaN);
}

describe('recordOrphanCalls', () => {
  const QUARANTINE = { quarantineMs: 30_000 };
  const record = (...callIds: string[]) => recordOrphanCalls(store, null, callIds, QUARANTINE);
  const passTime = (seconds: number) =>
    store.pool.query(
      `UPDATE orphan_call
       SET first_seen_at = first_seen_at - make_interval(secs => $1),
         last_seen_at = last_seen_at - make_interval(secs => $1)`,
      [seconds],
    );
  beforeEach(async () => void (await store.pool.query('TRUNCATE orphan_call')));

  it('returns calls that two inventories contain thirty seconds apart', async () => {
    expect(await record('a', 'b')).toEqual([]);
    expect(await record('a', 'b')).toEqual([]);
    await passTime(20);
    expect(await record('a', 'b', 'late')).toEqual([]);
    await passTime(10);
    expect((await record('a', 'b', 'late')).toSorted()).toEqual(['a', 'b']);
    await passTime(30);
    expect((await record('a', 'b', 'late')).toSorted()).toEqual(['a', 'b', 'late']);
  });

  it('starts over for a call that an inventory lacked', async () => {
    await record('a', 'b');
    await passTime(31);
    expect(await record('b')).toEqual(['b']);
    expect(await record('a', 'b')).toEqual(['b']);
    await passTime(31);
    expect((await record('a', 'b')).toSorted()).toEqual(['a', 'b']);
  });

  it('counts a call once that an inventory lists twice', async () => {
    expect(await record('a', 'a')).toEqual([]);
    await passTime(31);
    expect(await record('a', 'a')).toEqual(['a']);
  });

  it('deletes all orphan calls for an empty inventory', async () => {
    await record('a');
    expect(await record()).toEqual([]);
    expect(await store.prisma.orphan_call.count()).toBe(0);
  });
});

describe('findLegsOfCalls and findMissingCalls', () => {
  let room: TestRoom;
  beforeEach(async () => {
    room = await makeRoom(store);
  });

  test.each(LEG_STATES)(
    'find a leg that is %s by its call, and report it as missing when it is live, old enough, and not listed',
    async (state) => {
      const call = freshId('call');
      const id = await makeLeg(store, room, { kind: 'outbound', state, voice_call_id: call });
      expect(await findLegsOfCalls(store, null, [call, 'another'])).toMatchObject([{ id, voice_call_id: call, state }]);
      const isMissing = async (live: readonly string[]) =>
        (await findMissingCalls(store, null, live, { olderMs: 30_000 })).some((leg) => leg.id === id);
      expect(await isMissing([])).toBe(false);
      await setColumns(store, 'leg', id, { created_at: await ago(31) });
      expect(await isMissing([])).toBe(state !== 'ended');
      expect(await isMissing([call])).toBe(false);
      await setColumns(store, 'leg', id, { voice_closed_at: new Date() });
      expect(await isMissing([])).toBe(false);
    },
  );
});

describe('findDialsWithoutCall', () => {
  it('finds only the outbound leg to the number whose dial got no answer', async () => {
    const room = await makeRoom(store);
    const phone = '+447946700001';
    const at = await ago(1);
    await makeLeg(store, room, {
      kind: 'outbound',
      state: 'dialling',
      remote: phone,
      dialled_at: at,
      voice_call_id: freshId('call'),
    });
    await makeLeg(store, room, { kind: 'outbound', state: 'requested', remote: phone });
    await makeLeg(store, room, { kind: 'outbound', state: 'ended', remote: phone, dialled_at: at });
    await makeLeg(store, room, { kind: 'inbound', state: 'dialling', remote: phone, dialled_at: at });
    await makeLeg(store, room, { kind: 'outbound', state: 'dialling', remote: '+447946700002', dialled_at: at });
    expect(await findDialsWithoutCall(store, null, [phone])).toEqual([]);
    const id = await makeLeg(store, room, { kind: 'outbound', state: 'dialling', remote: phone, dialled_at: at });
    expect(await findDialsWithoutCall(store, null, [phone, '+15550100'])).toEqual([{ id, remote: phone, up: true }]);
    await setColumns(store, 'leg', id, { state: 'ended', reason: 'unobserved', ended_at: await ago(599) });
    expect(await findDialsWithoutCall(store, null, [phone])).toEqual([{ id, remote: phone, up: false }]);
    await setColumns(store, 'leg', id, { ended_at: await ago(601) });
    expect(await findDialsWithoutCall(store, null, [phone])).toEqual([]);
  });
});

describe('listMediaSessionsToSweep', () => {
  const listed = async (room: TestRoom, limit?: number): Promise<boolean> =>
    (await listMediaSessionsToSweep(store, null, { afterEndS: 900, ...(limit === undefined ? {} : { limit }) })).some(
      ({ id }) => id === room.sessionId,
    );

  test.each<{ what: string; columns: () => Promise<object>; yes: boolean }>([
    { what: 'an open session', columns: async () => ({ state: 'open' }), yes: true },
    { what: 'a live session', columns: async () => ({ state: 'live' }), yes: true },
    { what: 'an ending session', columns: async () => ({ state: 'ending' }), yes: true },
    {
      what: 'a session that ended recently after its max duration',
      columns: async () => ({ state: 'ended', created_at: await ago(4_000), ended_at: await ago(400) }),
      yes: true,
    },
    {
      what: 'a session that ended early and has valid tokens',
      columns: async () => ({ state: 'ended', created_at: await ago(3_500), ended_at: await ago(3_000) }),
      yes: true,
    },
    {
      what: 'an ended session whose tokens have expired',
      columns: async () => ({ state: 'ended', created_at: await ago(4_700), ended_at: await ago(1_000) }),
      yes: false,
    },
    {
      what: 'a session without a video session',
      columns: async () => ({ state: 'live', media_session_id: null }),
      yes: false,
    },
  ])('lists $what: $yes', async ({ columns, yes }) => {
    const room = await makeRoom(store, { max_duration_s: 3_600 });
    await setColumns(store, 'session', room.sessionId, { media_session_id: freshId('media'), ...(await columns()) });
    expect(await listed(room)).toBe(yes);
  });

  it('lists live sessions first', async () => {
    await store.pool.query(`UPDATE session SET media_session_id = NULL`);
    const rooms = await Promise.all(
      ['ended', 'open', 'live'].map(async (state) => {
        const room = await makeRoom(store);
        await setColumns(store, 'session', room.sessionId, {
          media_session_id: freshId('media'),
          state,
          ended_at: state === 'ended' ? await ago(1) : null,
        });
        return room.sessionId;
      }),
    );
    expect((await listMediaSessionsToSweep(store, null, { afterEndS: 900 })).map(({ id }) => id)).toEqual(
      rooms.toReversed(),
    );
  });
});
