import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { appendEvents } from './events.ts';
import { claimEvent, eventId, markDelivered, putOff, setEventsUrl, type EventToSend } from './outbox.ts';
import { inTransaction, openStore, type Store } from './store.ts';
import { makeNumbers, makeRoom, type MadeRoom } from './testing/fixtures.ts';

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, max: 12, onError: () => undefined });
  await makeNumbers(store);
});
beforeEach(() => store.prisma.outbox.deleteMany());
afterAll(async () => {
  await store.close();
  await database.drop();
});

const LEASE = { leaseMs: 30_000, tenantWidth: 100 };

/** A session of a tenant with an address, and so many events of it. */
async function tell(events: number, { url = 'http://receiver.example', room }: { url?: string | null; room?: MadeRoom } = {}): Promise<MadeRoom> {
  const made = room ?? (await makeRoom(store));
  await setEventsUrl(store, made.tenantId, url);
  const firstSeq = 1 + (await store.prisma.outbox.count({ where: { session_id: made.sessionId } }));
  const list = Array.from({ length: events }, () => ({ type: 'leg.joined', data: { legId: 'leg_1' } }));
  await inTransaction(store, made.tenantId, (tx) => appendEvents(tx, made.tenantId, { roomId: made.roomId, sessionId: made.sessionId, firstSeq }, list));
  return made;
}
const claim = (): Promise<EventToSend | null> => claimEvent(store, LEASE);
const rowsOf = ({ sessionId }: MadeRoom) => store.prisma.outbox.findMany({ where: { session_id: sessionId }, orderBy: { seq: 'asc' } });
const letLeasesRunOut = () => store.pool.query('UPDATE outbox SET lease_until = lease_until - make_interval(secs => 60)');

describe('an event that is to be sent', () => {
  it('is had by one at a time, with all that is sent of it', async () => {
    const room = await tell(1);
    expect(await claim()).toEqual({
      id: expect.any(String), tenant_id: room.tenantId, room_id: room.roomId, session_id: room.sessionId, seq: 1, type: 'leg.joined', data: { legId: 'leg_1' },
      created_at: expect.any(Date), attempts: 1, url: 'http://receiver.example',
    });
    expect(await claim()).toBeNull();
  });

  it('goes to one of many who ask at once, and of a session only the first', async () => {
    const rooms = [];
    for (let i = 0; i < 5; i++) rooms.push(await tell(3));
    const claimed = (await Promise.all(Array.from({ length: 12 }, claim))).filter((each) => each !== null);
    expect(claimed.map((each) => each.seq)).toEqual([1, 1, 1, 1, 1]);
    expect(new Set(claimed.map((each) => each.session_id))).toEqual(new Set(rooms.map((room) => room.sessionId)));
  });

  it('is followed by the next only when it is delivered', async () => {
    await tell(2);
    const first = (await claim())!;
    await markDelivered(store, first.tenant_id, first.id);
    expect((await claim())?.seq).toBe(2);
    expect(await claim()).toBeNull();
  });

  it('is free again when whoever had it is gone, as the same event', async () => {
    await tell(2);
    const first = (await claim())!;
    await letLeasesRunOut();
    const again = (await claim())!;
    expect(again).toEqual({ ...first, attempts: 2 });
    expect(eventId(again.session_id, again.seq)).toBe(eventId(first.session_id, first.seq));
  });

  it('that was put off waits, and what is behind it with it', async () => {
    const room = await tell(3);
    const first = (await claim())!;
    await putOff(store, first.tenant_id, first, 60_000);
    expect(await claim()).toBeNull();
    const due = (await rowsOf(room)).map((row) => row.next_try_at?.getTime());
    expect(new Set(due).size).toBe(1);
    // One more of that session: it is due, and still not the first.
    await tell(1, { room });
    expect(await claim()).toBeNull();
    await store.pool.query('UPDATE outbox SET next_try_at = next_try_at - make_interval(secs => 61)');
    expect(await claim()).toMatchObject({ seq: 1, attempts: 2 });
  });

  it('is not put off by one who was too slow', async () => {
    const room = await tell(2);
    const slow = (await claim())!;
    await letLeasesRunOut();
    const quick = (await claim())!;
    await putOff(store, slow.tenant_id, slow, 60_000);
    expect((await rowsOf(room))[0]?.lease_until).not.toBeNull();
    await markDelivered(store, quick.tenant_id, quick.id);
    await putOff(store, slow.tenant_id, slow, 60_000);
    expect((await claim())?.seq).toBe(2);
  });

  it('is not marked for another tenant', async () => {
    const room = await tell(1);
    const event = (await claim())!;
    await markDelivered(store, 'ten_other', event.id);
    await putOff(store, 'ten_other', event, 1);
    expect((await rowsOf(room))[0]).toMatchObject({ delivered_at: null, lease_until: expect.any(Date) });
  });

  it('of one tenant does not take every sender', async () => {
    const first = await makeRoom(store);
    await tell(1, { room: first });
    for (let i = 0; i < 4; i++) await tell(1, { room: await makeRoom(store, { tenant_id: first.tenantId }) });
    await tell(1);
    const few = { ...LEASE, tenantWidth: 2 };
    const claimed: (string | undefined)[] = [];
    for (let i = 0; i < 4; i++) claimed.push((await claimEvent(store, few))?.tenant_id);
    expect(claimed.filter((tenant) => tenant === first.tenantId)).toHaveLength(2);
    expect(claimed.filter((tenant) => tenant === undefined)).toHaveLength(1);
  });
});

describe('a tenant without an address', () => {
  it('has its events stay, and none is looked at', async () => {
    const room = await tell(3, { url: null });
    expect(await claim()).toBeNull();
    expect((await rowsOf(room)).map((row) => [row.next_try_at, row.delivered_at, row.attempts])).toEqual(Array.from({ length: 3 }, () => [null, null, 0]));
    // Also not when there are many: looking reads an index that has none of them.
    await store.pool.query(`INSERT INTO outbox (tenant_id, room_id, session_id, seq, type, data) SELECT $1, $2, $3, 3 + n, 'leg.joined', '{}' FROM generate_series(1, 20000) n`, [room.tenantId, room.roomId, room.sessionId]);
    await store.pool.query('ANALYZE outbox');
    const { rows } = await store.pool.query<{ 'QUERY PLAN': string }>('EXPLAIN SELECT id FROM outbox WHERE next_try_at <= now() ORDER BY next_try_at, id');
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toMatch(/Scan using outbox_(due|unsent) /);
  });

  it('is told from the next event on when it gets one', async () => {
    const room = await tell(2, { url: null });
    await tell(1, { room });
    expect(await claim()).toMatchObject({ session_id: room.sessionId, seq: 3 });
  });

  it('is told nothing more when it loses it', async () => {
    const room = await tell(2);
    await setEventsUrl(store, room.tenantId, null);
    expect(await claim()).toBeNull();
    await setEventsUrl(store, room.tenantId, 'http://other.example');
    expect(await claim()).toBeNull();
    await tell(1, { room });
    expect((await claim())?.seq).toBe(3);
  });
});
