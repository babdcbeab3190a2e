import { purgeExpired } from '@partyline/store/reconciliation/purge';
import { openStore, type Store } from '@partyline/store/database/store';
import { makeNumbers, makeRoom } from '@partyline/store/testing/fixtures';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { purge } from './purge.ts';

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

const LONG_AGO = new Date('2020-01-01T00:00:00Z');
const tokens =
  (of = store) =>
  (limit: number) =>
    purgeExpired(of, 'tokens', limit);
const failed: string[] = [];
const round = {
  limit: 5,
  batches: 3,
  signal: new AbortController().signal,
  onError: (kind: string) => void failed.push(kind),
};
beforeEach(async () => {
  failed.length = 0;
  await store.prisma.webhook_jti.createMany({
    data: Array.from({ length: 42 }, (_, i) => ({ jti: `jti_${i}`, expires_at: LONG_AGO })),
    skipDuplicates: true,
  });
});

test('deletes a limited number of batches of a backlog per round, until none is left', async () => {
  const left: number[] = [];
  for (let rounds = 0; rounds < 4; rounds += 1) {
    await purge({ tokens: tokens() }, round);
    left.push(await store.prisma.webhook_jti.count());
  }
  expect(left).toEqual([27, 12, 0, 0]);
  expect(failed).toEqual([]);
});

test('goes on with the other kinds when one kind cannot be deleted', async () => {
  const room = await makeRoom(store);
  await store.prisma.pin.updateMany({ where: { room_id: room.roomId }, data: { quarantined_until: LONG_AGO } });
  const impatient = openStore({ owner: true, url: database.url, statementTimeoutMs: 300, onError: () => undefined });
  const holder = await store.pool.connect();
  try {
    await holder.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0; LOCK TABLE webhook_jti');
    await purge({ tokens: tokens(impatient), pins: (limit) => purgeExpired(store, 'pins', limit) }, round);
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
    await impatient.close();
  }
  expect(failed).toEqual(['tokens']);
  expect([await store.prisma.webhook_jti.count(), await store.prisma.pin.count()]).toEqual([42, 0]);
});

test('starts no batch when the process is stopping', async () => {
  await purge({ tokens: tokens() }, { ...round, signal: AbortSignal.abort() });
  expect(await store.prisma.webhook_jti.count()).toBe(42);
});
