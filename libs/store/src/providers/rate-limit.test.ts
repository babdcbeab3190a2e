import { releaseLease, acquireLease } from '../database/lease.ts';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../database/store.ts';
import { freshId } from '../testing/fixtures.ts';
import { reserveSlot, type Slot } from './rate-limit.ts';

let database: TestDatabase;
/** Two processes. */
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
const COLUMN = { lease: 'available_at', provider_rate_limit: 'next_slot_at' } as const;
const passTime = (table: 'lease' | 'provider_rate_limit', ms: number) =>
  storeOf(0).pool.query(`UPDATE ${table} SET ${COLUMN[table]} = ${COLUMN[table]} - make_interval(secs => $1)`, [
    ms / 1_000,
  ]);
/** When the next place of a line is, on the database's clock. */
const nextSlotAt = async (account: string): Promise<number> =>
  (
    await storeOf(0).prisma.provider_rate_limit.findFirstOrThrow({ where: { account, share: '' } })
  ).next_slot_at.getTime();

/** At once: a place is on a whole millisecond. */
const ROUNDING_MS = 1;
const waitOf = (place: Slot): number => ('waitMs' in place ? place.waitMs : Number.NaN);
const retryAfterOf = (place: Slot): number => ('retryAfterMs' in place ? place.retryAfterMs : Number.NaN);

describe('a place in a line', () => {
  it('is had at once when nobody waits', async () => {
    expect(
      waitOf(await reserveSlot(storeOf(0), freshId('acc'), 'ask', { intervalMs: 1_000, maxWaitMs: 0 })),
    ).toBeLessThanOrEqual(ROUNDING_MS);
  });

  it('is after all others’, whatever process they are in: so many places, so long a line', async () => {
    const account = freshId('acc');
    const pace = { intervalMs: 100_000, maxWaitMs: 10_000_000 };
    const waits = (
      await Promise.all(
        Array.from({ length: 20 }, (_, i) => reserveSlot(storeOf(i), account, 'ask', pace, `ten_${i % 3}`)),
      )
    )
      .map(waitOf)
      .toSorted((a, b) => a - b);
    for (const [i, wait] of waits.entries()) {
      expect(wait).toBeLessThanOrEqual(i * 100_000 + ROUNDING_MS);
      expect(wait).toBeGreaterThan(i * 100_000 - 50_000);
    }
  });

  it('that is too far off is not given, and not taken: the line is no longer for it, and who asked is told when there will be one', async () => {
    const account = freshId('acc');
    await reserveSlot(storeOf(0), account, 'ask', { intervalMs: 600_000, maxWaitMs: 0 });
    const before = await nextSlotAt(account);
    for (const place of await Promise.all(
      Array.from({ length: 5 }, (_, i) =>
        reserveSlot(storeOf(i), account, 'ask', { intervalMs: 600_000, maxWaitMs: 300_000 }),
      ),
    )) {
      expect(retryAfterOf(place)).toBeGreaterThan(850_000);
      expect(retryAfterOf(place)).toBeLessThanOrEqual(900_000 + ROUNDING_MS);
    }
    expect(await nextSlotAt(account)).toBe(before);
    expect(
      waitOf(await reserveSlot(storeOf(0), account, 'ask', { intervalMs: 600_000, maxWaitMs: 610_000 })),
    ).toBeGreaterThan(500_000);
  });

  it('is not in another lane’s way, nor in another account’s', async () => {
    const account = freshId('acc');
    await reserveSlot(storeOf(0), account, 'ask', { intervalMs: 60_000, maxWaitMs: 0 });
    expect(
      waitOf(await reserveSlot(storeOf(1), account, 'hang-up', { intervalMs: 60_000, maxWaitMs: 0 })),
    ).toBeLessThanOrEqual(ROUNDING_MS);
    expect(
      waitOf(await reserveSlot(storeOf(1), freshId('acc'), 'ask', { intervalMs: 60_000, maxWaitMs: 0 })),
    ).toBeLessThanOrEqual(ROUNDING_MS);
  });

  it('that nobody took is not saved up: after a pause there is one at once, not ten', async () => {
    const account = freshId('acc');
    await reserveSlot(storeOf(0), account, 'ask', { intervalMs: 100_000, maxWaitMs: 0 });
    await passTime('provider_rate_limit', 6_000_000);
    expect(
      waitOf(await reserveSlot(storeOf(0), account, 'ask', { intervalMs: 100_000, maxWaitMs: 0 })),
    ).toBeLessThanOrEqual(ROUNDING_MS);
    expect(await reserveSlot(storeOf(1), account, 'ask', { intervalMs: 100_000, maxWaitMs: 0 })).toHaveProperty(
      'retryAfterMs',
    );
  });

  it('is another’s, however many one wants: one who has its own far off gets no more, and who comes waits for those alone', async () => {
    const account = freshId('acc');
    const pace = { intervalMs: 100_000, maxShareWaitMs: 250_000, maxWaitMs: 10_000_000 };
    const greedy = () =>
      Promise.all(Array.from({ length: 50 }, (_, i) => reserveSlot(storeOf(i), account, 'ask', pace, 'ten_greedy')));
    // At 0, 100 and 200 s; the next is to be 300 s off.
    expect((await greedy()).filter((place) => 'waitMs' in place)).toHaveLength(3);
    const wait = waitOf(await reserveSlot(storeOf(1), account, 'ask', pace, 'ten_modest'));
    expect(wait).toBeGreaterThan(250_000);
    expect(wait).toBeLessThanOrEqual(300_000 + ROUNDING_MS);
    // And so in turns, as time goes by.
    await passTime('provider_rate_limit', 100_000);
    expect((await greedy()).filter((place) => 'waitMs' in place)).toHaveLength(1);
    expect(waitOf(await reserveSlot(storeOf(1), account, 'ask', pace, 'ten_third'))).toBeLessThanOrEqual(
      400_000 + ROUNDING_MS,
    );
  });

  it('of those who come again when they are told is told one by one, at most 15 s off', async () => {
    const account = freshId('acc');
    const pace = { intervalMs: 5_000, maxShareWaitMs: 0, maxWaitMs: 3_600_000, spreadRetries: true };
    const taken = await Promise.all(
      Array.from({ length: 6 }, (_, i) => reserveSlot(storeOf(i), account, 'hang-up', pace, 'ten_1')),
    );
    const again = taken
      .filter((place) => 'retryAfterMs' in place)
      .map(retryAfterOf)
      .toSorted((a, b) => a - b);
    expect(again).toHaveLength(5);
    for (const [i, ms] of again.entries()) {
      expect(ms).toBeLessThanOrEqual(Math.min(15_000, 10_000 + i * 5_000) + ROUNDING_MS);
      expect(ms).toBeGreaterThan(Math.min(15_000, 10_000 + i * 5_000) - 8_000);
    }
    // Another’s times are its own.
    expect(waitOf(await reserveSlot(storeOf(0), account, 'hang-up', pace, 'ten_2'))).toBeLessThanOrEqual(
      5_000 + ROUNDING_MS,
    );
  });
});

describe('a turn', () => {
  it('is one’s at a time, however many ask, and another’s when it is over and not before', async () => {
    const name = freshId('lease');
    const ask = () => Promise.all(Array.from({ length: 10 }, (_, i) => acquireLease(storeOf(i), name, 600_000)));
    const had = (turns: readonly boolean[]): number => turns.filter(Boolean).length;
    expect(had(await ask())).toBe(1);
    await passTime('lease', 550_000);
    expect(had(await ask())).toBe(0);
    await passTime('lease', 50_000);
    expect(had(await ask())).toBe(1);
    expect(had(await ask())).toBe(0);
  });

  it('of one name is not of another', async () => {
    expect(await acquireLease(storeOf(0), freshId('lease'), 60_000)).toBe(true);
    expect(await acquireLease(storeOf(0), freshId('lease'), 60_000)).toBe(true);
  });

  it('that is given back is anybody’s at once', async () => {
    const name = freshId('lease');
    expect(await acquireLease(storeOf(0), name, 60_000)).toBe(true);
    await releaseLease(storeOf(0), name);
    expect(await acquireLease(storeOf(1), name, 60_000)).toBe(true);
    expect(await acquireLease(storeOf(0), name, 60_000)).toBe(false);
  });
});
