import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inTransaction, openStore, type Store } from '../database/store.ts';
import { makeLeg, makeNumbers, makeRoom, setColumns, type TestRoom } from '../testing/fixtures.ts';
import { queueDial, type DialQueue } from './dial-queue.ts';

let database: TestDatabase;
let owner: Store;
let service: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  owner = openStore({ owner: true, url: database.url, max: 4, onError: () => undefined });
  service = openStore({ url: database.url, max: 4, onError: () => undefined });
  await makeNumbers(owner);
});
afterAll(async () => {
  await Promise.all([service.close(), owner.close()]);
  await database.drop();
});

const measure = (tenantId: string, accountId: string | null = null): Promise<DialQueue> =>
  inTransaction(service, tenantId, (tx) => queueDial(tx, tenantId, accountId));
async function requestCalls(room: TestRoom, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await makeLeg(owner, room, { kind: 'outbound', state: 'requested' });
}

it('the queue of calls counts each other tenant with at most as many as the tenant has', async () => {
  const [busy, quiet, third] = [await makeRoom(owner), await makeRoom(owner), await makeRoom(owner)];
  expect(await measure(busy.tenantId)).toEqual({ ahead: 0, total: 0 });
  await requestCalls(busy, 9);
  await requestCalls(quiet, 2);
  expect(await measure(busy.tenantId)).toEqual({ ahead: 11, total: 11 });
  expect(await measure(quiet.tenantId)).toEqual({ ahead: 4, total: 11 });
  expect(await measure(third.tenantId)).toEqual({ ahead: 0, total: 11 });
  // Calls that were placed do not wait.
  await makeLeg(owner, third, { kind: 'outbound', state: 'dialling' });
  await makeLeg(owner, third, {
    kind: 'bridge',
    state: 'dialling',
    dialled_at: new Date(),
    media_connection_id: 'placed',
  });
  expect(await measure(third.tenantId)).toEqual({ ahead: 0, total: 11 });
  expect(await measure(busy.tenantId, 'acct_other')).toEqual({ ahead: 0, total: 0 });
});

it('the queue of calls counts bridges that are due or wait for their slot', async () => {
  const [due, dialled, caller] = [await makeRoom(owner), await makeRoom(owner), await makeRoom(owner)];
  const before = await measure(caller.tenantId);
  await requestCalls(caller, 3);
  await setColumns(owner, 'session', due.sessionId, { bridge_due_at: new Date() });
  await makeLeg(owner, dialled, { kind: 'bridge', state: 'dialling', dialled_at: new Date() });
  const { ahead, total } = await measure(caller.tenantId);
  expect(total - before.total).toBe(5);
  await makeLeg(owner, caller, { kind: 'bridge', state: 'dialling', dialled_at: new Date('2020-01-01') });
  expect(await measure(caller.tenantId)).toEqual({ ahead, total });
  await setColumns(owner, 'session', due.sessionId, { bridge_due_at: null });
  expect(await measure(caller.tenantId)).toEqual({ ahead: ahead - 1, total: total - 1 });
});

it('a transaction that measured the queue keeps others from adding to it', async () => {
  const room = await makeRoom(owner);
  let measured = false;
  const order: string[] = [];
  const first = inTransaction(service, room.tenantId, async (tx) => {
    await queueDial(tx, room.tenantId, 'acct_locked');
    measured = true;
    await expect
      .poll(
        async () =>
          (await owner.pool.query(`SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`)).rowCount,
        { timeout: 20_000 },
      )
      .toBe(1);
    order.push('first');
  });
  await expect.poll(() => measured, { timeout: 20_000 }).toBe(true);
  await measure(room.tenantId, 'acct_locked');
  order.push('second');
  await first;
  expect(order).toEqual(['first', 'second']);
});
