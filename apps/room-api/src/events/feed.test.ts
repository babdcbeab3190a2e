import { appendEvents } from '@partyline/store/events/append-events';
import { lockSession } from '@partyline/store/sessions/session-lock';
import { inTransaction, openStore, type Store } from '@partyline/store/database/store';
import { makeNumbers, makeRoom, type TestRoom } from '@partyline/store/testing/fixtures';
import { connectRedis } from '@partyline/runtime/redis';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { createTestRedis, type TestRedis } from '@partyline/testing/redis';
import type { Redis } from 'ioredis';
import type { PoolClient } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openEventFeed, type EventFeed, type FeedOptions } from './feed.ts';
import { openHorizon } from './horizon.ts';
import { openStreamSlots } from './stream-slots.ts';

let database: TestDatabase;
let store: Store;
let rooms: TestRoom[];
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

/** Open streams. Each polls the database until it ends. */
const openStreams: Promise<void>[] = [];
afterEach(() => Promise.all(openStreams.splice(0)));

let streams = 0;
/** The feed of one replica. */
const openFeed = (more: Partial<FeedOptions> = {}): EventFeed =>
  openEventFeed({
    store,
    slots: openStreamSlots(redis, testRedis.prefix),
    nextId: () => `stream_${(streams += 1)}`,
    now: () => new Date(),
    onError: () => undefined,
    pollMs: 10,
    heartbeatMs: 50,
    ...more,
  });
const ALL = { after: null, types: [], roomId: null };
/** Opens a stream of a tenant and discards its events. */
function openStream(
  feed: EventFeed,
  tenantId: string,
  isStillAuthorized = async () => true,
): { opened: Promise<string>; ended: Promise<void>; disconnect: () => void } {
  const disconnected = new AbortController();
  const stream = feed.openStream(tenantId, ALL, disconnected.signal, isStillAuthorized);
  const opened = stream.then(
    () => 'open',
    (error: { verdict: { reason: string } }) => error.verdict.reason,
  );
  const ended = stream.then(
    async (texts) => {
      for await (const text of texts) void text;
    },
    () => undefined,
  );
  openStreams.push(ended);
  return { opened, ended, disconnect: () => disconnected.abort() };
}

/** Emits an event. Returns its position in the outbox. */
async function emitTestEvent(tx: PoolClient, roomNo: number): Promise<bigint> {
  const { tenantId, roomId, sessionId } = rooms[roomNo] ?? { tenantId: '', roomId: '', sessionId: '' };
  const view = await lockSession(tx, tenantId, sessionId);
  const firstSeq = (view?.session.last_seq ?? 0) + 1;
  await appendEvents(tx, tenantId, { roomId, sessionId, firstSeq }, [{ type: 'leg.joined', data: {} }]);
  await tx.query('UPDATE session SET last_seq = $2 WHERE id = $1', [sessionId, firstSeq]);
  const { rows } = await tx.query<{ id: string }>('SELECT max(id) AS id FROM outbox WHERE session_id = $1', [
    sessionId,
  ]);
  return BigInt(rows[0]?.id ?? 0);
}

describe('openHorizon', () => {
  it('does not pass an event of the newest open transaction', async () => {
    const horizon = openHorizon(store, () => new Date());
    const slow = await store.pool.connect();
    try {
      let first = 0n;
      const later = await inTransaction(store, rooms[0]?.tenantId ?? '', async (tx) => {
        // Gets its transaction id before the slow transaction and its event id after it. Once it
        // has committed, no finished transaction has a larger id than the slow one.
        await tx.query('SELECT pg_current_xact_id()');
        await slow.query('BEGIN');
        first = await emitTestEvent(slow, 1);
        return emitTestEvent(tx, 0);
      });
      expect(later).toBeGreaterThan(first);
      for (let i = 0; i < 5; i++) expect(await horizon.refresh()).toBe(later);
      expect(horizon.settled).toBeLessThan(first);
      await slow.query('COMMIT');
    } finally {
      slow.release();
    }
    // Other transactions on this server end soon.
    await expect.poll(async () => (await horizon.refresh(), horizon.settled)).toBe(await horizon.refresh());
  });

  it('waits at most a minute for a foreign transaction', async () => {
    let now = Date.now();
    const horizon = openHorizon(store, () => new Date(now));
    const foreign = await store.pool.connect();
    try {
      await foreign.query('BEGIN');
      await foreign.query('SELECT pg_current_xact_id()');
      const last = await inTransaction(store, rooms[0]?.tenantId ?? '', (tx) => emitTestEvent(tx, 0));
      await horizon.refresh();
      now += 59_000;
      await horizon.refresh();
      expect(horizon.settled).toBe(0n);
      now += 2_000;
      await horizon.refresh();
      expect(horizon.settled).toBe(last);
    } finally {
      await foreign.query('ROLLBACK');
      foreign.release();
    }
  });
});

it('rejects new streams with `stopping` after close', async () => {
  const feed = openFeed();
  await feed.close();
  await expect(feed.openStream('ten_1', ALL, new AbortController().signal, async () => true)).rejects.toMatchObject({
    verdict: { outcome: 'upstream', reason: 'stopping' },
    retryAfterMs: 1_000,
  });
});

it('ends a stream after its maximum duration, so that the client authenticates again', async () => {
  const feed = openFeed({ maxStreamMs: 300 });
  const texts: string[] = [];
  for await (const text of await feed.openStream('ten_1', ALL, new AbortController().signal, async () => true))
    texts.push(text);
  expect(texts[0]).toMatch(/^retry: 1000\nid: \S+\n\n$/);
  expect(texts.slice(1).every((text) => text === ': still here\n\n')).toBe(true);
  await feed.close();
});

describe('authorization of a stream', () => {
  it('is checked repeatedly, and its loss ends the stream', async () => {
    const feed = openFeed();
    const authorized = { one: true, other: true };
    const [one, other] = [
      openStream(feed, 'ten_1', async () => authorized.one),
      openStream(feed, 'ten_1', async () => authorized.other),
    ];
    expect([await one.opened, await other.opened]).toEqual(['open', 'open']);
    authorized.one = false;
    await one.ended;
    authorized.other = false;
    await other.ended;
    await feed.close();
  });

  it('ends the stream when it is lost, also for a slow client with unread events', async () => {
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
    let [isAuthorized, rejections] = [true, 0];
    const texts = (
      await feed.openStream(
        tenantId,
        { after: 0n, types: [], roomId: null },
        new AbortController().signal,
        async () => (isAuthorized || (rejections += 1), isAuthorized),
      )
    )[Symbol.asyncIterator]();
    for (let text = ''; !text.startsWith('id:');) text = String((await texts.next()).value);
    isAuthorized = false;
    await expect.poll(() => rejections).toBeGreaterThan(0);
    expect(await texts.next()).toEqual({ done: true, value: undefined });
    await feed.close();
  });

  it('is assumed while the check fails', async () => {
    const errors: unknown[] = [];
    const feed = openFeed({ onError: (error) => errors.push(error) });
    let checks = 0;
    const one = openStream(feed, 'ten_1', () =>
      (checks += 1) < 4 ? Promise.reject(new Error('unavailable')) : Promise.resolve(checks < 6),
    );
    await one.ended;
    expect([checks, errors.length]).toEqual([6, 3]);
    await feed.close();
  });
});

describe('slot of a stream', () => {
  it('is one of ten per tenant over all replicas, and is released when the stream ends', async () => {
    // Reserved for longer than the test takes.
    const [here, there] = [openFeed({ heartbeatMs: 20_000 }), openFeed({ heartbeatMs: 20_000 })];
    const opening = Array.from({ length: 14 }, (_, i) => openStream(i % 2 === 0 ? here : there, 'ten_many'));
    const opened = await Promise.all(opening.map(({ opened: each }) => each));
    expect(opened.toSorted()).toEqual([
      ...Array.from({ length: 10 }, () => 'open'),
      ...Array.from({ length: 4 }, () => 'too-many-streams'),
    ]);
    expect(await openStream(there, 'ten_other').opened).toBe('open');
    const first = opening.at(opened.indexOf('open'));
    first?.disconnect();
    await first?.ended;
    await expect.poll(() => openStream(there, 'ten_many').opened).toBe('open');
    expect(await openStream(here, 'ten_many').opened).toBe('too-many-streams');
    await Promise.all([here.close(), there.close()]);
    await expect.poll(async () => await redis.zcard(`${testRedis.prefix}:streams:ten_many`)).toBe(0);
  });

  it('is renewed while the stream is open, and expires after its replica crashed', async () => {
    const feed = openFeed();
    const one = openStream(feed, 'ten_renewed');
    const id = `stream_${streams}`;
    expect(await one.opened).toBe('open');
    const readExpiry = async (): Promise<number> =>
      Number(await redis.zscore(`${testRedis.prefix}:streams:ten_renewed`, id));
    const before = await readExpiry();
    await expect.poll(readExpiry).toBeGreaterThan(before);
    // Slots that a crashed replica leaves.
    const crashed = openStreamSlots(redis, testRedis.prefix);
    const reserveNine = (forMs: number): Promise<boolean[]> =>
      Promise.all(Array.from({ length: 9 }, (_, i) => crashed.reserve('ten_renewed', `stream_dead_${i}`, forMs)));
    expect(await reserveNine(60_000)).toEqual(Array(9).fill(true));
    expect(await openStream(feed, 'ten_renewed').opened).toBe('too-many-streams');
    expect(await reserveNine(200)).toEqual(Array(9).fill(true));
    await expect.poll(() => openStream(feed, 'ten_renewed').opened).toBe('open');
    await feed.close();
  });

  it('is counted by each replica alone while Redis is unavailable', async () => {
    const unreachable = connectRedis('redis://127.0.0.1:1', () => undefined);
    const feed = openFeed({ slots: openStreamSlots(unreachable, testRedis.prefix) });
    const opened = [];
    for (let i = 0; i < 11; i++) opened.push(await openStream(feed, 'ten_1').opened);
    expect(opened.filter((each) => each === 'open')).toHaveLength(10);
    expect(opened[10]).toBe('too-many-streams');
    await feed.close();
    unreachable.disconnect();
  });
});
