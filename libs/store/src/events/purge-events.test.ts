import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { replayDelivery, replayEvents } from '../endpoints/delivery-log.ts';
import { pingEndpoint } from '../endpoints/endpoints.ts';
import { appendEvents } from './append-events.ts';
import { purgeEvents } from './purge-events.ts';
import { inTransaction, openStore, type Store } from '../database/store.ts';
import { makeEndpoint, makeNumbers, makeRoom, setColumns, type TestRoom } from '../testing/fixtures.ts';

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, max: 12, onError: () => undefined });
  await makeNumbers(store);
});
beforeEach(async () => {
  for (const table of ['delivery', 'outbox', 'endpoint']) await store.pool.query(`DELETE FROM ${table}`);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

/** Creates an ended session whose events and deliveries are `days` old. */
async function makePastSession(
  count: number,
  days: number,
  { state = 'ended' } = {},
): Promise<TestRoom & { endpointId: string }> {
  const room = await makeRoom(store);
  const endpointId = await makeEndpoint(store, room.tenantId);
  await inTransaction(store, room.tenantId, (tx) =>
    appendEvents(
      tx,
      room.tenantId,
      { roomId: room.roomId, sessionId: room.sessionId, firstSeq: 1 },
      Array.from({ length: count }, () => ({ type: 'leg.joined', data: {} })),
    ),
  );
  await setColumns(store, 'session', room.sessionId, { state, last_seq: count });
  await age(room, days);
  return { ...room, endpointId };
}
/** Moves a tenant's events into the past, with their deliveries done. */
async function age({ tenantId }: TestRoom, days: number): Promise<void> {
  await store.pool.query('UPDATE outbox SET created_at = now() - make_interval(days => $2) WHERE tenant_id = $1', [
    tenantId,
    days,
  ]);
  await store.pool.query(
    `UPDATE delivery
     SET state = 'delivered', attempts = 1, done_at = now() - make_interval(days => $2), next_try_at = NULL
     WHERE tenant_id = $1`,
    [tenantId, days],
  );
  await store.pool.query(
    `INSERT INTO delivery_attempt (delivery_id, no, tenant_id, at)
     SELECT id, 1, tenant_id, now()
     FROM delivery
     WHERE tenant_id = $1
     ON CONFLICT DO NOTHING`,
    [tenantId],
  );
}
const countRows = async (): Promise<number[]> => [
  await store.prisma.delivery.count(),
  await store.prisma.delivery_attempt.count(),
  await store.prisma.outbox.count(),
];
const purge = () => purgeEvents(store, 1_000);

describe('purgeEvents', () => {
  it('deletes old deliveries with their attempts and their events', async () => {
    await makePastSession(3, 31);
    await makePastSession(2, 29);
    expect(await purge()).toEqual({ deliveries: 3, events: 3 });
    expect(await countRows()).toEqual([2, 2, 2]);
    expect(await purge()).toEqual({ deliveries: 0, events: 0 });
  });

  it('deletes old events without deliveries, and events about an endpoint', async () => {
    const { tenantId, endpointId } = await makePastSession(1, 31);
    await pingEndpoint(store, tenantId, endpointId);
    await age({ tenantId } as TestRoom, 31);
    await store.prisma.delivery.deleteMany();
    expect(await purge()).toEqual({ deliveries: 0, events: 2 });
  });

  it('deletes in batches, also concurrently', async () => {
    await makePastSession(25, 31);
    const [first] = await Promise.all(Array.from({ length: 4 }, () => purgeEvents(store, 5)));
    expect(first).toEqual({ deliveries: expect.any(Number), events: expect.any(Number) });
    expect((await countRows())[0]).toBeGreaterThanOrEqual(5);
    for (let more = true; more;) more = Object.values(await purgeEvents(store, 5)).some((count) => count === 5);
    expect(await countRows()).toEqual([0, 0, 0]);
  });
});

describe('purgeEvents', () => {
  it.each(['open', 'live', 'ending'])('retains all events and deliveries of a session that is %s', async (state) => {
    await makePastSession(2, 400, { state });
    expect(await purge()).toEqual({ deliveries: 0, events: 0 });
  });

  it('retains an old delivery that is pending, with its event', async () => {
    const { tenantId } = await makePastSession(3, 31);
    const { id } = await store.prisma.delivery.findFirstOrThrow({ where: { tenant_id: tenantId } });
    await replayDelivery(store, tenantId, id);
    expect(await purge()).toEqual({ deliveries: 2, events: 2 });
    expect(await countRows()).toEqual([1, 1, 1]);
  });

  it('retains an old event of a retained delivery', async () => {
    const { tenantId } = await makePastSession(1, 31);
    await store.pool.query(`UPDATE delivery SET done_at = now() - interval '1 day' WHERE tenant_id = $1`, [tenantId]);
    expect(await purge()).toEqual({ deliveries: 0, events: 0 });
  });

  it('retains an event that a replay has locked; a replay skips an event that is being purged', async () => {
    const { tenantId, endpointId } = await makePastSession(1, 31);
    await store.prisma.delivery.deleteMany();
    const { id } = await store.prisma.outbox.findFirstOrThrow();
    const replay = () =>
      replayEvents(store, tenantId, endpointId, {
        outboxIds: [String(id)],
        since: null,
        until: null,
        after: null,
        limit: 1,
      });
    const other = await store.pool.connect();
    try {
      await other.query('BEGIN');
      await other.query('SELECT 1 FROM outbox FOR KEY SHARE');
      expect(await purge()).toEqual({ deliveries: 0, events: 0 });
      await other.query('ROLLBACK');
      await other.query('BEGIN');
      await other.query('DELETE FROM outbox');
      const replayed = replay();
      await expect
        .poll(
          async () =>
            (
              await store.pool.query(
                `SELECT 1
                 FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'`,
              )
            ).rowCount,
          { timeout: 30_000 },
        )
        .toBe(1);
      await other.query('COMMIT');
      expect(await replayed).toEqual({ count: 0, last: null });
    } finally {
      other.release();
    }
  });

  it('the event of every delivery during concurrent replays', async () => {
    const { tenantId, endpointId } = await makePastSession(60, 31);
    const ids = (await store.prisma.outbox.findMany({ select: { id: true } })).map(({ id }) => String(id));
    const replay = (i: number) =>
      replayEvents(store, tenantId, endpointId, {
        outboxIds: ids.slice(i * 6, i * 6 + 6),
        since: null,
        until: null,
        after: null,
        limit: 100,
      });
    await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        await purgeEvents(store, 7);
        await replay(i);
        await purgeEvents(store, 7);
      }),
    );
    const { rows } = await store.pool.query(
      `SELECT d.id
       FROM delivery d
       LEFT JOIN outbox o ON o.id = d.event_id
       WHERE o.id IS NULL`,
    );
    expect(rows).toEqual([]);
  });
});
