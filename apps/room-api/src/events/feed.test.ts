import { appendEvents } from '@partyline/store/events';
import { lockSession } from '@partyline/store/session-view';
import { inTransaction, openStore, type Store } from '@partyline/store/store';
import { makeNumbers, makeRoom, type MadeRoom } from '@partyline/store/testing/fixtures';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import type { PoolClient } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEventFeed } from './feed.ts';
import { openHorizon } from './horizon.ts';

let database: TestDatabase;
let store: Store;
let rooms: MadeRoom[];
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, max: 8, onError: () => undefined });
  await makeNumbers(store);
  rooms = [await makeRoom(store), await makeRoom(store)];
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

async function write(tx: PoolClient, of: number): Promise<bigint> {
  const { tenantId, roomId, sessionId } = rooms[of] ?? { tenantId: '', roomId: '', sessionId: '' };
  const view = await lockSession(tx, tenantId, sessionId);
  const firstSeq = (view?.session.last_seq ?? 0) + 1;
  await appendEvents(tx, tenantId, { roomId, sessionId, firstSeq }, [{ type: 'leg.joined', data: {} }]);
  await tx.query('UPDATE session SET last_seq = $2 WHERE id = $1', [sessionId, firstSeq]);
  const { rows } = await tx.query<{ id: string }>('SELECT max(id) AS id FROM outbox WHERE session_id = $1', [sessionId]);
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
    await expect.poll(async () => (await horizon.look(), horizon.settled), { timeout: 10_000 }).toBe(await horizon.look());
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
  const feed = openEventFeed({ store, now: () => new Date(), onError: () => undefined });
  await feed.close();
  expect(() => feed.follow('ten_1', { after: null, types: [] }, new AbortController().signal)).toThrow(expect.objectContaining({ verdict: { outcome: 'upstream', reason: 'stopping' }, retryAfterMs: 1_000 }));
});

it('a stream ends by itself after a while, so that whoever listens shows its key again', async () => {
  const feed = openEventFeed({ store, now: () => new Date(), onError: () => undefined, everyMs: 10, lifeMs: 300, heartbeatMs: 50 });
  const told: string[] = [];
  for await (const text of feed.follow('ten_1', { after: null, types: [] }, new AbortController().signal)) told.push(text);
  expect(told[0]).toBe('retry: 1000\n\n');
  expect(told.slice(1).every((text) => text === ': still here\n\n')).toBe(true);
  await feed.close();
});
