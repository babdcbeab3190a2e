import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshId } from '../testing/fixtures.ts';
import { acquireLease, releaseLease } from './lease.ts';
import { openStore, type Store } from './store.ts';

let database: TestDatabase;
/** Two stores stand for two processes. */
let stores: readonly [Store, Store];
beforeAll(async () => {
  database = await createTestDatabase();
  const open = () => openStore({ owner: true, url: database.url, max: 8, onError: () => undefined });
  stores = [open(), open()];
});
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  await database.drop();
});

const storeOf = (i: number): Store => stores[i % 2 === 0 ? 0 : 1];
const passTime = (ms: number) =>
  storeOf(0).pool.query('UPDATE lease SET available_at = available_at - make_interval(secs => $1)', [ms / 1_000]);

describe('acquireLease', () => {
  it('gives a lease to one of many callers, and again when it has expired', async () => {
    const name = freshId('lease');
    const countAcquired = async (): Promise<number> =>
      (await Promise.all(Array.from({ length: 10 }, (_, i) => acquireLease(storeOf(i), name, 600_000)))).filter(Boolean)
        .length;
    expect(await countAcquired()).toBe(1);
    await passTime(550_000);
    expect(await countAcquired()).toBe(0);
    await passTime(50_000);
    expect(await countAcquired()).toBe(1);
    expect(await countAcquired()).toBe(0);
  });

  it('keeps leases of different names apart', async () => {
    expect(await acquireLease(storeOf(0), freshId('lease'), 60_000)).toBe(true);
    expect(await acquireLease(storeOf(0), freshId('lease'), 60_000)).toBe(true);
  });

  it('gives a released lease to any caller at once', async () => {
    const name = freshId('lease');
    expect(await acquireLease(storeOf(0), name, 60_000)).toBe(true);
    await releaseLease(storeOf(0), name);
    expect(await acquireLease(storeOf(1), name, 60_000)).toBe(true);
    expect(await acquireLease(storeOf(0), name, 60_000)).toBe(false);
  });
});
