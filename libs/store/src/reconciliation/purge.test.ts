import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../database/store.ts';
import { PURGE_KINDS, purgeExpired } from './purge.ts';

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const LONG_AGO = new Date('2020-01-01T00:00:00Z');
const FAR = new Date('2099-01-01T00:00:00Z');

describe('purgeExpired', () => {
  it('deletes expired tokens only', async () => {
    await store.prisma.webhook_jti.createMany({
      data: [
        { jti: 'old', expires_at: LONG_AGO },
        { jti: 'new', expires_at: FAR },
      ],
    });
    expect(await purgeExpired(store, 'tokens', 1_000)).toBe(1);
    expect(await store.prisma.webhook_jti.findMany({ select: { jti: true } })).toContainEqual({ jti: 'new' });
  });

  it('deletes in batches, the oldest rows first, also concurrently', async () => {
    const data = Array.from({ length: 25 }, (_, i) => ({
      jti: `old ${i}`,
      expires_at: new Date(LONG_AGO.getTime() + i * 1_000),
    }));
    await store.prisma.webhook_jti.createMany({ data });
    expect(await purgeExpired(store, 'tokens', 5)).toBe(5);
    expect(
      await store.prisma.webhook_jti.count({ where: { expires_at: { lt: new Date(LONG_AGO.getTime() + 5_000) } } }),
    ).toBe(0);
    const counts = await Promise.all(Array.from({ length: 4 }, () => purgeExpired(store, 'tokens', 5)));
    for (const count of counts) expect(count).toBeLessThanOrEqual(5);
    while ((await purgeExpired(store, 'tokens', 5)) > 0);
    expect(await store.prisma.webhook_jti.count({ where: { expires_at: { lt: new Date() } } })).toBe(0);
  });

  it('deletes sums of wrong PINs of days that no longer count, and keeps the others', async () => {
    await store.prisma.dial_in_number.create({ data: { e164: '+442079460099' } });
    await store.pool.query(
      `INSERT INTO pin_guess_day (number, day, odds)
       SELECT '+442079460099', (now() AT TIME ZONE 'UTC')::date - n, 0.0001
       FROM generate_series(0, 40) AS n`,
    );
    expect(await purgeExpired(store, 'guessDays', 4)).toBe(4);
    expect(await purgeExpired(store, 'guessDays', 1_000)).toBe(6);
    expect(await store.prisma.pin_guess_day.count()).toBe(31);
  });

  it.each(PURGE_KINDS)('returns 0 when no row of the kind %s has expired', async (kind) => {
    while ((await purgeExpired(store, kind, 1_000)) > 0);
    expect(await purgeExpired(store, kind, 1_000)).toBe(0);
  });
});
