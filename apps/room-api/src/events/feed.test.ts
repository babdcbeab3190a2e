import { appendEvents } from '@partyline/store/events/append-events';
import { lockSession } from '@partyline/store/sessions/session-lock';
import { inTransaction, openStore, type Store } from '@partyline/store/database/store';
import { makeNumbers, makeRoom, type MadeRoom } from '@partyline/store/testing/fixtures';
import { connectRedis } from '@partyline/runtime/redis';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { createTestRedis, type TestRedis } from '@partyline/testing/redis';
import type { Redis } from 'ioredis';
import type { PoolClient } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openEventFeed, type EventFeed, type FeedOptions } from './feed.ts';
import { openHorizon } from './horizon.ts';
import { openStreamPlaces } from './stream-places.ts';

let database: TestDatabase;
let store: Store;
let rooms: MadeRoom[];
let testRedis: TestRedis;
let redis: Redis;
beforeAll(async () => {
  [database, testRedis] = await Promise.all([createTestDatabase(), createTestRedis()]);
  redis = connectRedis(testRedis.url, () => undefined, 20_000);
  store = openStore({ owner: true, url: database.url, max: 8, onError: () => undefined });
  await makeNumbers(store);
  rooms = [await makeRoom(store), await makeRoom(store)];
});
afterAll(async () => {
  redis.disconnect();
  await store.close();
  await Promise.all([database.drop(), testRedis.close()]);
});

/** Whoever still listens: each looks at the database until it is over. */
const listening: Promise<void>[] = [];
afterEach(() => Promise.all(listening.splice(0)));

let streams = 0;
/** A replica's. */
const openFeed = (more: Partial<FeedOptions> = {}): EventFeed =>
  openEventFeed({
    store,
    places: openStreamPlaces(redis, testRedis.prefix),
    nextId: () => `stream_${(streams += 1)}`,
    now: () => new Date(),
    onError: () => undefined,
    everyMs: 10,
    heartbeatMs: 50,
    ...more,
  });
const ALL = { after: null, types: [] };
/** Follows a tenant's events, whoever may; what was told is thrown away. */
function listen(
  feed: EventFeed,
  tenantId: string,
  mayStill = async () => true,
): { opened: Promise<string>; over: Promise<void>; leave: () => void } {
  const gone = new AbortController();
  const told = feed.follow(tenantId, ALL, gone.signal, mayStill);
  const opened = told.then(
    () => 'open',
    (error: { verdict: { reason: string } }) => error.verdict.reason,
  );
  const over = told.then(
    async (texts) => {
      for await (const text of texts) void text;
    },
    () => undefined,
  );
  listening.push(over);
  return { opened, over, leave: () => gone.abort() };
}

async function write(tx: PoolClient, of: number): Promise<bigint> {
  const { tenantId, roomId, sessionId } = rooms[of] ?? { tenantId: '', roomId: '', sessionId: '' };
  const view = await lockSession(tx, tenantId, sessionId);
  const firstSeq = (view?.session.last_seq ?? 0) + 1;
  await appendEvents(tx, tenantId, { roomId, sessionId, firstSeq }, [{ type: 'leg.joined', data: {} }]);
  await tx.query('UPDATE session SET last_seq = $2 WHERE id = $1', [sessionId, firstSeq]);
  const { rows } = await tx.query<{ id: string }>('SELECT max(id) AS id FROM outbox WHERE session_id = $1', [
    sessionId,
  ]);
  return BigInt(rows[0]?.id ?? 0);
}

describe('up to where events are settled', () => {
  it('is not past what somebody writes who began last and is the only one left', async () => {
    const horizon = openHorizon(store, () => new Date());
    const slow = await store.pool.connect();
    try {
      let first = 0n;
      const later = await inTransaction(store, rooms[0]?.tenantId ?? '', async (tx) => {
        // Numbered before the slow one, writes after it, and is over: no transaction that is over has a larger number than the slow one's.
        await tx.query('SELECT pg_current_xact_id()');
        await slow.query('BEGIN');
        first = await write(slow, 1);
        return write(tx, 0);
      });
      expect(later).toBeGreaterThan(first);
      for (let i = 0; i < 5; i++) expect(await horizon.look()).toBe(later);
      expect(horizon.settled).toBeLessThan(first);
      await slow.query('COMMIT');
    } finally {
      slow.release();
    }
    // Whoever else uses this server is over in a moment.
    await expect.poll(async () => (await horizon.look(), horizon.settled)).toBe(await horizon.look());
  });

  it('does not wait for a stranger’s transaction for longer than a minute', async () => {
    let now = Date.now();
    const horizon = openHorizon(store, () => new Date(now));
    const stranger = await store.pool.connect();
    try {
      await stranger.query('BEGIN');
      await stranger.query('SELECT pg_current_xact_id()');
      const last = await inTransaction(store, rooms[0]?.tenantId ?? '', (tx) => write(tx, 0));
      await horizon.look();
      now += 59_000;
      await horizon.look();
      expect(horizon.settled).toBe(0n);
      now += 2_000;
      await horizon.look();
      expect(horizon.settled).toBe(last);
    } finally {
      await stranger.query('ROLLBACK');
      stranger.release();
    }
  });
});

it('a feed that is closed takes nobody more, and says where to go', async () => {
  const feed = openFeed();
  await feed.close();
  await expect(feed.follow('ten_1', ALL, new AbortController().signal, async () => true)).rejects.toMatchObject({
    verdict: { outcome: 'upstream', reason: 'stopping' },
    retryAfterMs: 1_000,
  });
});

it('a stream ends by itself after a while, so that whoever listens shows its key again', async () => {
  const feed = openFeed({ lifeMs: 300 });
  const told: string[] = [];
  for await (const text of await feed.follow('ten_1', ALL, new AbortController().signal, async () => true))
    told.push(text);
  expect(told[0]).toMatch(/^retry: 1000\nid: \S+\n\n$/);
  expect(told.slice(1).every((text) => text === ': still here\n\n')).toBe(true);
  await feed.close();
});

describe('whoever listens', () => {
  it('is asked again and again whether they may, and told nothing more when they may not', async () => {
    const feed = openFeed();
    const may = { one: true, other: true };
    const [one, other] = [listen(feed, 'ten_1', async () => may.one), listen(feed, 'ten_1', async () => may.other)];
    expect([await one.opened, await other.opened]).toEqual(['open', 'open']);
    may.one = false;
    await one.over;
    may.other = false;
    await other.over;
    await feed.close();
  });

  it('is told nothing more when they may not, however slowly they read and whatever is already there to be told', async () => {
    const feed = openFeed();
    const { tenantId, roomId, sessionId } = await makeRoom(store);
    await inTransaction(store, tenantId, (tx) =>
      appendEvents(
        tx,
        tenantId,
        { roomId, sessionId, firstSeq: 1_001 },
        Array.from({ length: 50 }, () => ({ type: 'leg.joined', data: {} })),
      ),
    );
    let [may, refused] = [true, 0];
    const told = (
      await feed.follow(
        tenantId,
        { after: 0n, types: [] },
        new AbortController().signal,
        async () => (may || (refused += 1), may),
      )
    )[Symbol.asyncIterator]();
    for (let text = ''; !text.startsWith('id:');) text = String((await told.next()).value);
    may = false;
    await expect.poll(() => refused).toBeGreaterThan(0);
    expect(await told.next()).toEqual({ done: true, value: undefined });
    await feed.close();
  });

  it('goes on while it cannot be found out', async () => {
    const troubles: unknown[] = [];
    const feed = openFeed({ onError: (error) => troubles.push(error) });
    let asked = 0;
    const one = listen(feed, 'ten_1', () =>
      (asked += 1) < 4 ? Promise.reject(new Error('away')) : Promise.resolve(asked < 6),
    );
    await one.over;
    expect([asked, troubles.length]).toEqual([6, 3]);
    await feed.close();
  });
});

describe('a place for a stream', () => {
  it('is one of ten of a tenant’s, whichever replica it is at, and free again when it ends', async () => {
    // Held for longer than the test takes on any machine.
    const [here, there] = [openFeed({ heartbeatMs: 20_000 }), openFeed({ heartbeatMs: 20_000 })];
    const asked = Array.from({ length: 14 }, (_, i) => listen(i % 2 === 0 ? here : there, 'ten_many'));
    const opened = await Promise.all(asked.map(({ opened: each }) => each));
    expect(opened.toSorted()).toEqual([
      ...Array.from({ length: 10 }, () => 'open'),
      ...Array.from({ length: 4 }, () => 'too-many-streams'),
    ]);
    expect(await listen(there, 'ten_other').opened).toBe('open');
    const first = asked.at(opened.indexOf('open'));
    first?.leave();
    await first?.over;
    await expect.poll(() => listen(there, 'ten_many').opened).toBe('open');
    expect(await listen(here, 'ten_many').opened).toBe('too-many-streams');
    await Promise.all([here.close(), there.close()]);
    await expect.poll(async () => await redis.zcard(`${testRedis.prefix}:streams:ten_many`)).toBe(0);
  });

  it('is held again and again while its stream is open, and is soon free when its replica died', async () => {
    const feed = openFeed();
    const one = listen(feed, 'ten_held');
    const id = `stream_${streams}`;
    expect(await one.opened).toBe('open');
    const heldUntil = async (): Promise<number> =>
      Number(await redis.zscore(`${testRedis.prefix}:streams:ten_held`, id));
    const before = await heldUntil();
    await expect.poll(heldUntil).toBeGreaterThan(before);
    // As a replica leaves them that took them and is no more.
    const dead = openStreamPlaces(redis, testRedis.prefix);
    const take = (forMs: number): Promise<boolean[]> =>
      Promise.all(Array.from({ length: 9 }, (_, i) => dead.take('ten_held', `stream_dead_${i}`, forMs)));
    expect(await take(60_000)).toEqual(Array(9).fill(true));
    expect(await listen(feed, 'ten_held').opened).toBe('too-many-streams');
    expect(await take(200)).toEqual(Array(9).fill(true));
    await expect.poll(() => listen(feed, 'ten_held').opened).toBe('open');
    await feed.close();
  });

  it('is counted by each replica for itself while Redis is away', async () => {
    const away = connectRedis('redis://127.0.0.1:1', () => undefined);
    const feed = openFeed({ places: openStreamPlaces(away, testRedis.prefix) });
    const opened = [];
    for (let i = 0; i < 11; i++) opened.push(await listen(feed, 'ten_1').opened);
    expect(opened.filter((each) => each === 'open')).toHaveLength(10);
    expect(opened[10]).toBe('too-many-streams');
    await feed.close();
    away.disconnect();
  });
});
