import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  claimDeliveries,
  recordFailedAttempt,
  markDelivered,
  cleanUpDeliveries,
  type DeliveryToSend,
} from './deliveries.ts';
import { listDeliveries, replayDelivery, replayEvents } from './delivery-log.ts';
import { deleteEndpoint, disableEndpoint, pingEndpoint, updateEndpoint } from './endpoints.ts';
import { appendEvents } from '../events/append-events.ts';
import { eventId, findEventPosition } from '../events/outbox.ts';
import { inTransaction, openStore, type Store } from '../database/store.ts';
import { freshId, makeEndpoint, makeNumbers, makeRoom, type TestRoom } from '../testing/fixtures.ts';

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, max: 12, onError: () => undefined });
  await makeNumbers(store);
});
beforeEach(async () => {
  await store.prisma.delivery.deleteMany();
  await store.prisma.outbox.deleteMany();
  await store.prisma.endpoint.deleteMany();
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const CLAIM = { leaseMs: 30_000, maxPerEndpoint: 100, maxPerTenant: 100, circuitOpensAt: 3, limit: 1 };
const RESULT = { status: 500, durationMs: 12, error: null };
const PROBE = { circuitOpensAt: 3, firstS: 5, longestS: 20 };
const RETRY_AFTER_MS = 60_000;

const claim = async (): Promise<DeliveryToSend | null> => (await claimDeliveries(store, CLAIM))[0] ?? null;
const claimAll = (): Promise<DeliveryToSend[]> => claimDeliveries(store, { ...CLAIM, limit: 100 });
const succeed = (sent: DeliveryToSend) => markDelivered(store, sent.tenant_id, sent, { ...RESULT, status: 204 });
const fail = (sent: DeliveryToSend, waitMs: number | null = RETRY_AFTER_MS) =>
  recordFailedAttempt(store, sent.tenant_id, sent, RESULT, waitMs, PROBE);

/** Creates a session with events, by default for a new tenant with one endpoint. */
async function emitEvents(
  events: number,
  { room, endpoint = true, type = 'leg.joined' }: { room?: TestRoom; endpoint?: boolean; type?: string } = {},
): Promise<TestRoom> {
  const made = room ?? (await makeRoom(store));
  if (endpoint && room === undefined) await makeEndpoint(store, made.tenantId);
  const firstSeq = 1 + (await store.prisma.outbox.count({ where: { session_id: made.sessionId } }));
  const list = Array.from({ length: events }, () => ({ type, data: { legId: 'leg_1' } }));
  await inTransaction(store, made.tenantId, (tx) =>
    appendEvents(tx, made.tenantId, { roomId: made.roomId, sessionId: made.sessionId, firstSeq }, list),
  );
  return made;
}
const deliveriesOf = ({ sessionId }: TestRoom) =>
  store.prisma.delivery.findMany({ where: { stream: sessionId }, orderBy: { seq: 'asc' } });
const endpointOf = ({ tenantId }: TestRoom) =>
  store.prisma.endpoint.findFirstOrThrow({ where: { tenant_id: tenantId } });
/** Moves the times of the rows into the past. */
const passTime = async (seconds: number): Promise<void> => {
  await store.pool.query(
    `UPDATE delivery
     SET next_try_at = next_try_at - make_interval(secs => $1), lease_until = lease_until - make_interval(secs => $1)`,
    [seconds],
  );
  await store.pool.query(
    `UPDATE endpoint
     SET probe_at = probe_at - make_interval(secs => $1), failing_since = failing_since - make_interval(secs => $1)`,
    [seconds],
  );
};

describe('claimDeliveries', () => {
  it('claims a delivery once with its event, and records the attempt first', async () => {
    const room = await emitEvents(1);
    const endpoint = await endpointOf(room);
    const sent = (await claim())!;
    expect(sent).toEqual({
      id: expect.stringMatching(/^dlv_[\w-]{22}$/),
      tenant_id: room.tenantId,
      endpoint_id: endpoint.id,
      attempts: 1,
      tries: 1,
      url: endpoint.url,
      secret: Buffer.from('ciphertext'),
      old_secret: null,
      event: {
        id: expect.any(String),
        room_id: room.roomId,
        session_id: room.sessionId,
        endpoint_id: null,
        seq: 1,
        type: 'leg.joined',
        data: { legId: 'leg_1', externalId: null },
        created_at: expect.any(Date),
      },
    });
    expect(await claim()).toBeNull();
    expect(await listDeliveries(store, room.tenantId, endpoint.id, { state: 'pending', limit: 5 })).toMatchObject([
      { id: sent.id, attempts: [{ no: 1, status: null, error: null }] },
    ]);
  });

  it('finds deliveries for the endpoints that subscribe to the type, and for no disabled or deleted one', async () => {
    const room = await makeRoom(store);
    const ids = { all: '', some: '', others: '', off: '', gone: '' };
    for (const name of ['all', 'some', 'others', 'off', 'gone'] as const)
      ids[name] = await makeEndpoint(store, room.tenantId, {
        types: name === 'some' ? ['leg.joined', 'leg.ended'] : name === 'others' ? ['session.ended'] : [],
      });
    await updateEndpoint(store, room.tenantId, ids.off, { enabled: false });
    await deleteEndpoint(store, room.tenantId, ids.gone);
    await makeEndpoint(store, (await makeRoom(store)).tenantId);
    await emitEvents(1, { room });
    expect((await deliveriesOf(room)).map((row) => row.endpoint_id).toSorted()).toEqual([ids.all, ids.some].toSorted());
  });

  it('gives concurrent callers different deliveries, and of each session only the first', async () => {
    const rooms = [];
    for (let i = 0; i < 5; i++) rooms.push(await emitEvents(3));
    const claimed = (await Promise.all(Array.from({ length: 12 }, claimAll))).flat();
    expect(claimed.map((each) => each.event.seq)).toEqual([1, 1, 1, 1, 1]);
    expect(new Set(claimed.map((each) => each.event.session_id))).toEqual(new Set(rooms.map((room) => room.sessionId)));
  });

  it('claims the next delivery of a session after the first was delivered or failed', async () => {
    const room = await emitEvents(3);
    const first = (await claim())!;
    await succeed(first);
    const second = (await claim())!;
    expect([second.event.seq, await claim()]).toEqual([2, null]);
    await fail(second, null);
    expect((await claim())?.event.seq).toBe(3);
    expect((await deliveriesOf(room)).map((row) => row.state)).toEqual(['delivered', 'failed', 'pending']);
  });

  it('claims the same delivery again after the lease of a dead process', async () => {
    await emitEvents(2);
    const first = (await claim())!;
    await passTime(31);
    const again = (await claim())!;
    expect(again).toEqual({ ...first, attempts: 2, tries: 2 });
    expect(eventId(again.event)).toBe(eventId(first.event));
  });

  it('claims neither a delivery that waits for its retry, nor later ones of its session', async () => {
    const room = await emitEvents(3);
    await fail((await claim())!);
    expect(await claim()).toBeNull();
    expect(new Set((await deliveriesOf(room)).map((row) => row.next_try_at?.getTime())).size).toBe(1);
    // A new event of that session is due but not the first.
    await emitEvents(1, { room });
    expect(await claim()).toBeNull();
    await passTime(61);
    expect(await claim()).toMatchObject({ event: { seq: 1 }, attempts: 2 });
  });

  it('ignores the failure of an attempt whose lease has expired', async () => {
    const room = await emitEvents(2);
    const slow = (await claim())!;
    await passTime(31);
    const quick = (await claim())!;
    await fail(slow);
    expect((await deliveriesOf(room))[0]?.lease_until).not.toBeNull();
    await succeed(quick);
    await fail(slow);
    expect((await claim())?.event.seq).toBe(2);
  });

  it('rejects results under another tenant', async () => {
    const room = await emitEvents(1);
    const sent = (await claim())!;
    await markDelivered(store, 'ten_other', sent, RESULT);
    await recordFailedAttempt(store, 'ten_other', sent, RESULT, 1, PROBE);
    expect((await deliveriesOf(room))[0]).toMatchObject({ state: 'pending', lease_until: expect.any(Date) });
  });
});

describe('an endpoint', () => {
  it('gets at most maxPerEndpoint deliveries at once', async () => {
    const first = await emitEvents(1);
    for (let i = 0; i < 4; i++) await emitEvents(1, { room: await makeRoom(store, { tenant_id: first.tenantId }) });
    await emitEvents(1);
    const claimed = await claimDeliveries(store, { ...CLAIM, maxPerEndpoint: 2, limit: 10 });
    expect(claimed.filter((each) => each.tenant_id === first.tenantId)).toHaveLength(2);
    expect(claimed).toHaveLength(3);
    expect(await claimDeliveries(store, { ...CLAIM, maxPerEndpoint: 2, limit: 10 })).toEqual([]);
  });

  it('is limited by maxPerTenant, and the tenant with the fewest deliveries in flight comes first', async () => {
    const greedy = await makeRoom(store);
    for (let i = 0; i < 5; i++) await makeEndpoint(store, greedy.tenantId);
    for (let i = 0; i < 6; i++)
      await emitEvents(1, { room: await makeRoom(store, { tenant_id: greedy.tenantId }), endpoint: false });
    const share = { ...CLAIM, maxPerEndpoint: 4, maxPerTenant: 8, limit: 64 };
    const whose = async (limit = 64): Promise<string[]> =>
      (await claimDeliveries(store, { ...share, limit })).map(({ tenant_id }) => tenant_id);
    expect(await whose()).toEqual(Array.from({ length: 8 }, () => greedy.tenantId));
    expect(await whose()).toEqual([]);
    // Another tenant comes first although its events are newer; with two slots, both tenants get
    // one.
    const modest = await emitEvents(3);
    expect(await whose(1)).toEqual([modest.tenantId]);
    await passTime(31);
    const both = await whose(2);
    expect(both.toSorted()).toEqual([greedy.tenantId, modest.tenantId].toSorted());
  });

  it('with thousands of waiting events costs no more rows than one with a single event', async () => {
    const slow = await emitEvents(1);
    await store.pool.query(
      `INSERT INTO delivery (id, tenant_id, endpoint_id, event_id, stream, seq, next_try_at)
       SELECT 'dlv_' || n, $1, $2, (SELECT min(id) FROM outbox) + n::bigint * 1000000, 'ses_' || n, 1,
         now() - interval '1 day'
       FROM generate_series(1, 20000) n`,
      [slow.tenantId, (await endpointOf(slow)).id],
    );
    await store.pool.query('UPDATE endpoint SET failures = 9, probe_at = now() + make_interval(mins => 1)');
    await emitEvents(1);
    // Dead index entries of earlier tests would count as rows read.
    await store.pool.query('VACUUM (ANALYZE) delivery');
    const before = await countRowsRead();
    expect((await claimAll()).map((each) => each.tenant_id)).not.toContain(slow.tenantId);
    expect((await countRowsRead()) - before).toBeLessThan(100);
  });

  it('that fails gets one probe at a time with growing delays, and all deliveries after a success', async () => {
    const first = await emitEvents(1);
    for (let i = 0; i < 4; i++) await emitEvents(1, { room: await makeRoom(store, { tenant_id: first.tenantId }) });
    for (const waitS of [5, 10, 20, 20]) {
      // The first three fail together, before the circuit is open.
      if (waitS === 5) for (const each of await claimDeliveries(store, { ...CLAIM, limit: 3 })) await fail(each, 1_000);
      else await fail((await claim())!, 1_000);
      // The probe is delayed during the check, so that it does not become due.
      await store.pool.query(`UPDATE endpoint SET probe_at = probe_at + interval '1 minute'`);
      expect(await claimAll()).toEqual([]);
      await store.pool.query(`UPDATE endpoint SET probe_at = probe_at - interval '1 minute'`);
      const { rows } = await store.pool.query<{ s: number }>(
        `SELECT round(
           extract(epoch FROM probe_at - (SELECT max(next_try_at) - interval '1 second' FROM delivery))
         )::int AS s
         FROM endpoint`,
      );
      expect(rows).toEqual([{ s: waitS }]);
      await passTime(waitS + 1);
    }
    // One of the concurrent claims gets the probe; no other is claimed while it is in flight.
    const probes = (await Promise.all(Array.from({ length: 8 }, claimAll))).flat();
    expect([probes.length, await claimAll()]).toEqual([1, []]);
    for (const probe of probes) await succeed(probe);
    expect(await claimAll()).toHaveLength(4);
    expect(await endpointOf(first)).toMatchObject({ failures: 0, failing_since: null, probe_at: null });
  });

  it('that is disabled gets nothing, its deliveries fail, and the other endpoints get an event', async () => {
    const room = await emitEvents(2);
    const { id } = await endpointOf(room);
    const other = await makeEndpoint(store, room.tenantId);
    expect([
      await disableEndpoint(store, room.tenantId, id, 'gone'),
      await disableEndpoint(store, room.tenantId, id, 'gone'),
    ]).toEqual([true, false]);
    const claimed = await claimAll();
    expect(claimed.map((each) => [each.endpoint_id, each.event])).toMatchObject([
      [
        other,
        {
          type: 'endpoint.disabled',
          room_id: null,
          session_id: null,
          endpoint_id: id,
          seq: 1,
          data: { endpointId: id, reason: 'gone' },
        },
      ],
    ]);
    for (const { event } of claimed)
      expect(await findEventPosition(store, room.tenantId, eventId(event))).toEqual({ id: event.id, old: false });
    expect(await cleanUpDeliveries(store, 100)).toBe(2);
    expect((await deliveriesOf(room)).map((row) => row.state)).toEqual(['failed', 'failed']);
    expect(await replayDelivery(store, room.tenantId, (await deliveriesOf(room))[0]?.id ?? '')).toBe('disabled');
    expect(await pingEndpoint(store, room.tenantId, id)).toBe('disabled');
    // After it is enabled, it gets new events; older ones only by a replay.
    await updateEndpoint(store, room.tenantId, id, { enabled: true });
    await emitEvents(1, { room });
    expect((await claimAll()).find((each) => each.endpoint_id === id)?.event.seq).toBe(3);
  });

  it('that is deleted is cleaned up with its deliveries', async () => {
    const room = await emitEvents(3);
    const { id } = await endpointOf(room);
    await succeed((await claim())!);
    expect([
      await deleteEndpoint(store, 'ten_other', id),
      await deleteEndpoint(store, room.tenantId, id),
      await deleteEndpoint(store, room.tenantId, id),
    ]).toEqual([false, true, false]);
    expect(await claim()).toBeNull();
    for (let n = 1; n > 0;) n = await cleanUpDeliveries(store, 2);
    expect([
      await store.prisma.delivery.count(),
      await store.prisma.delivery_attempt.count(),
      await store.prisma.endpoint.count(),
    ]).toEqual([0, 0, 0]);
  });

  it('gets a ping that no other endpoint gets', async () => {
    const room = await emitEvents(0);
    const { id } = await endpointOf(room);
    await makeEndpoint(store, room.tenantId);
    expect(await pingEndpoint(store, freshId('ten'), id)).toBeNull();
    const ping = await pingEndpoint(store, room.tenantId, id);
    expect(await claimAll()).toMatchObject([
      {
        id: (ping as { deliveryId: string }).deliveryId,
        endpoint_id: id,
        event: { type: 'endpoint.ping', seq: 1, endpoint_id: id },
      },
    ]);
  });
});

describe('replayDelivery', () => {
  it('resets a delivery and keeps the order of its session', async () => {
    const room = await emitEvents(3);
    for (let i = 0; i < 2; i++) await succeed((await claim())!);
    const first = (await deliveriesOf(room))[0]?.id ?? '';
    expect(await replayDelivery(store, freshId('ten'), first)).toBeNull();
    expect(await replayDelivery(store, room.tenantId, first)).toBe('replayed');
    expect(await claim()).toMatchObject({ id: first, attempts: 2, tries: 1 });
    expect(await claim()).toBeNull();
  });
});

describe('replayEvents', () => {
  it('replays a range page by page, by type, with events from before the endpoint existed', async () => {
    const room = await emitEvents(5, { endpoint: false });
    await emitEvents(1, { room, type: 'session.ended' });
    const id = await makeEndpoint(store, room.tenantId, { types: ['leg.joined'] });
    const span = { outboxIds: null, since: new Date(Date.now() - 86_400_000), until: null, after: null, limit: 3 };
    const last = { room_id: room.roomId, session_id: room.sessionId, endpoint_id: null, seq: 3 };
    expect(await replayEvents(store, room.tenantId, id, span)).toMatchObject({ count: 3, last });
    const after = (await findEventPosition(store, room.tenantId, eventId(last)))!.id;
    expect(await replayEvents(store, room.tenantId, id, { ...span, after })).toMatchObject({
      count: 2,
      last: { seq: 5 },
    });
    const seqs = [];
    for (let sent = await claim(); sent !== null; sent = await claim()) {
      seqs.push(sent.event.seq);
      await succeed(sent);
    }
    expect(seqs).toEqual([1, 2, 3, 4, 5]);
    // By id of any type, but not of another tenant.
    const ended = (await findEventPosition(store, room.tenantId, eventId({ ...last, seq: 6 })))!.id;
    expect(await replayEvents(store, room.tenantId, id, { ...span, outboxIds: [ended!] })).toMatchObject({ count: 1 });
    expect(await replayEvents(store, freshId('ten'), id, span)).toEqual({ count: 0, last: null });
    expect(await findEventPosition(store, freshId('ten'), eventId({ ...last, seq: 6 }))).toBeNull();
  });
});

it('events of a tenant without endpoints have no deliveries', async () => {
  const room = await emitEvents(3, { endpoint: false });
  expect([await claim(), await deliveriesOf(room), await store.prisma.outbox.count()]).toEqual([null, [], 3]);
});

/** Counts the rows that all connections have read from the delivery table and its indexes. */
async function countRowsRead(): Promise<number> {
  // All connections at once: one that is left out would report its statistics later.
  const connections = await Promise.all(Array.from({ length: store.pool.options.max }, () => store.pool.connect()));
  for (const connection of connections) {
    await connection.query('SELECT pg_stat_force_next_flush()');
    connection.release();
  }
  const { rows } = await store.pool.query<{ n: number }>(
    `SELECT COALESCE(sum(idx_tup_read), 0)::int
       + (SELECT seq_tup_read::int FROM pg_stat_user_tables WHERE relname = 'delivery') AS n
     FROM pg_stat_user_indexes
     WHERE relname = 'delivery'`,
  );
  return rows[0]?.n ?? NaN;
}
