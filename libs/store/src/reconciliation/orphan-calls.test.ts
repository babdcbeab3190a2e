import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest';
import { findFalseKills, recordOrphanCalls } from './inventory.ts';
import { purgeExpired } from './purge.ts';
import { openStore, type Store } from '../database/store.ts';
import { makeLeg, makeNumbers, makeRoom, setColumns } from '../testing/fixtures.ts';

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  await makeNumbers(store);
});
beforeEach(() => store.prisma.orphan_call.deleteMany());
afterAll(async () => {
  await store.close();
  await database.drop();
});

const record = (...ids: string[]): Promise<string[]> => recordOrphanCalls(store, null, ids, { quarantineMs: 30_000 });
const passTime = (seconds: number) =>
  store.pool.query(
    `UPDATE orphan_call
     SET first_seen_at = first_seen_at - make_interval(secs => $1),
       last_seen_at = last_seen_at - make_interval(secs => $1)`,
    [seconds],
  );

it('recordOrphanCalls returns a call after its quarantine, and again for each inventory that contains it', async () => {
  expect(await record('a', 'a')).toEqual([]);
  await passTime(20);
  expect(await record('a', 'b')).toEqual([]);
  await passTime(11);
  expect(await record('a', 'b')).toEqual(['a']);
  expect(await record('a', 'b')).toEqual(['a']);
});

it('an orphan call with a hang-up attempt is retained for a day after its last inventory', async () => {
  await record('a', 'b');
  await passTime(31);
  await record('a');
  await record();
  expect((await store.prisma.orphan_call.findMany()).map((row) => row.id)).toEqual(['a']);
  expect(await purgeExpired(store, 'orphanCalls', 1_000)).toBe(0);
  await passTime(86_401);
  expect(await purgeExpired(store, 'orphanCalls', 1_000)).toBe(1);
});

describe('findFalseKills for an orphan call that was hung up at noon', () => {
  const NOON = new Date('2026-05-04T12:00:00Z');
  const [BEFORE, AFTER] = [new Date('2026-05-04T11:59:00Z'), new Date('2026-05-04T12:01:00Z')];
  test.each([
    { what: 'a live leg of a running session', killed: true },
    { what: 'a leg that ended afterwards', leg: { state: 'ended', ended_at: AFTER }, killed: true },
    {
      what: 'a leg whose hang-up was requested afterwards, with its session',
      leg: { state: 'ending', hangup_requested_at: AFTER },
      session: { state: 'ending', ending_at: AFTER },
      killed: true,
    },
    {
      what: 'a leg whose hang-up was requested before',
      leg: { state: 'ending', hangup_requested_at: BEFORE },
      killed: false,
    },
    {
      what: 'a leg that had ended after a hang-up request',
      leg: { state: 'ended', ended_at: BEFORE, hangup_requested_at: BEFORE },
      killed: false,
    },
    { what: 'a leg that a wrong observation had ended', leg: { state: 'ended', ended_at: BEFORE }, killed: true },
    { what: 'a leg of a session that was ending', session: { state: 'ending', ending_at: BEFORE }, killed: false },
    { what: 'a caller before admission', leg: { session_id: null, tenant_id: null }, killed: false },
    {
      what: 'a caller before admission whose leg a wrong observation had ended',
      leg: { session_id: null, tenant_id: null, state: 'ended', ended_at: BEFORE },
      killed: true,
    },
    { what: 'no leg', leg: { voice_call_id: null }, killed: false },
  ])('answers $killed for $what', async ({ leg = {}, session = {}, killed }) => {
    const room = await makeRoom(store);
    const legId = await makeLeg(store, room, { kind: 'inbound', state: 'joined' });
    await setColumns(store, 'session', room.sessionId, { state: 'live', ...session });
    await setColumns(store, 'leg', legId, { voice_call_id: legId, ...leg });
    await store.prisma.orphan_call.create({ data: { id: legId, sweeps: 2, hangup_attempted_at: NOON } });
    expect(await findFalseKills(store, null)).toEqual(
      killed ? [{ call_id: legId, leg_id: legId, kind: 'inbound' }] : [],
    );
    // A false kill is returned once.
    expect(await findFalseKills(store, null)).toEqual([]);
  });

  it('returns nothing before the hang-up attempt', async () => {
    const room = await makeRoom(store);
    await makeLeg(store, room, { kind: 'inbound', state: 'joined', voice_call_id: 'not-attempted' });
    await record('not-attempted');
    expect(await findFalseKills(store, null)).toEqual([]);
  });
});
