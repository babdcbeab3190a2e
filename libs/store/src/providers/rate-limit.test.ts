import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../database/store.ts';
import { freshId } from '../testing/fixtures.ts';
import { reserveSlot, type Slot } from './rate-limit.ts';

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
  storeOf(0).pool.query('UPDATE provider_rate_limit SET next_slot_at = next_slot_at - make_interval(secs => $1)', [
    ms / 1_000,
  ]);
/** The next slot of an account, on the database clock. */
const nextSlotAt = async (account: string): Promise<number> =>
  (
    await storeOf(0).prisma.provider_rate_limit.findFirstOrThrow({ where: { account, share: '' } })
  ).next_slot_at.getTime();

/** A slot is rounded to a millisecond. */
const ROUNDING_MS = 1;
const waitOf = (slot: Slot): number => ('waitMs' in slot ? slot.waitMs : Number.NaN);
const retryAfterOf = (slot: Slot): number => ('retryAfterMs' in slot ? slot.retryAfterMs : Number.NaN);

describe('reserveSlot', () => {
  it('returns a slot at once without other requests', async () => {
    expect(
      waitOf(await reserveSlot(storeOf(0), freshId('acc'), 'request', { intervalMs: 1_000, maxWaitMs: 0 })),
    ).toBeLessThanOrEqual(ROUNDING_MS);
  });

  it('spaces the slots of all processes and shares by the interval', async () => {
    const account = freshId('acc');
    const limit = { intervalMs: 100_000, maxWaitMs: 10_000_000 };
    const waits = (
      await Promise.all(
        Array.from({ length: 20 }, (_, i) => reserveSlot(storeOf(i), account, 'request', limit, `ten_${i % 3}`)),
      )
    )
      .map(waitOf)
      .toSorted((a, b) => a - b);
    for (const [i, wait] of waits.entries()) {
      expect(wait).toBeLessThanOrEqual(i * 100_000 + ROUNDING_MS);
      expect(wait).toBeGreaterThan(i * 100_000 - 50_000);
    }
  });

  it('reserves no slot beyond maxWaitMs and returns when to retry', async () => {
    const account = freshId('acc');
    await reserveSlot(storeOf(0), account, 'request', { intervalMs: 600_000, maxWaitMs: 0 });
    const before = await nextSlotAt(account);
    for (const slot of await Promise.all(
      Array.from({ length: 5 }, (_, i) =>
        reserveSlot(storeOf(i), account, 'request', { intervalMs: 600_000, maxWaitMs: 300_000 }),
      ),
    )) {
      expect(retryAfterOf(slot)).toBeGreaterThan(850_000);
      expect(retryAfterOf(slot)).toBeLessThanOrEqual(900_000 + ROUNDING_MS);
    }
    expect(await nextSlotAt(account)).toBe(before);
    expect(
      waitOf(await reserveSlot(storeOf(0), account, 'request', { intervalMs: 600_000, maxWaitMs: 610_000 })),
    ).toBeGreaterThan(500_000);
  });

  it('keeps lanes and accounts apart', async () => {
    const account = freshId('acc');
    await reserveSlot(storeOf(0), account, 'request', { intervalMs: 60_000, maxWaitMs: 0 });
    expect(
      waitOf(await reserveSlot(storeOf(1), account, 'hang-up', { intervalMs: 60_000, maxWaitMs: 0 })),
    ).toBeLessThanOrEqual(ROUNDING_MS);
    expect(
      waitOf(await reserveSlot(storeOf(1), freshId('acc'), 'request', { intervalMs: 60_000, maxWaitMs: 0 })),
    ).toBeLessThanOrEqual(ROUNDING_MS);
  });

  it('does not save up unused slots', async () => {
    const account = freshId('acc');
    await reserveSlot(storeOf(0), account, 'request', { intervalMs: 100_000, maxWaitMs: 0 });
    await passTime(6_000_000);
    expect(
      waitOf(await reserveSlot(storeOf(0), account, 'request', { intervalMs: 100_000, maxWaitMs: 0 })),
    ).toBeLessThanOrEqual(ROUNDING_MS);
    expect(await reserveSlot(storeOf(1), account, 'request', { intervalMs: 100_000, maxWaitMs: 0 })).toHaveProperty(
      'retryAfterMs',
    );
  });

  it('limits the slots of one share by maxShareWaitMs, so that another share waits only for these', async () => {
    const account = freshId('acc');
    const limit = { intervalMs: 100_000, maxShareWaitMs: 250_000, maxWaitMs: 10_000_000 };
    const greedy = () =>
      Promise.all(
        Array.from({ length: 50 }, (_, i) => reserveSlot(storeOf(i), account, 'request', limit, 'ten_greedy')),
      );
    // Slots at 0, 100 and 200 s; the next one would be at 300 s.
    expect((await greedy()).filter((slot) => 'waitMs' in slot)).toHaveLength(3);
    const wait = waitOf(await reserveSlot(storeOf(1), account, 'request', limit, 'ten_modest'));
    expect(wait).toBeGreaterThan(250_000);
    expect(wait).toBeLessThanOrEqual(300_000 + ROUNDING_MS);
    // Later, the shares alternate.
    await passTime(100_000);
    expect((await greedy()).filter((slot) => 'waitMs' in slot)).toHaveLength(1);
    expect(waitOf(await reserveSlot(storeOf(1), account, 'request', limit, 'ten_third'))).toBeLessThanOrEqual(
      400_000 + ROUNDING_MS,
    );
  });

  it('spreads the retry times of a share, at most 15 s ahead, with spreadRetries', async () => {
    const account = freshId('acc');
    const limit = { intervalMs: 5_000, maxShareWaitMs: 0, maxWaitMs: 3_600_000, spreadRetries: true };
    const slots = await Promise.all(
      Array.from({ length: 6 }, (_, i) => reserveSlot(storeOf(i), account, 'hang-up', limit, 'ten_1')),
    );
    const retries = slots
      .filter((slot) => 'retryAfterMs' in slot)
      .map(retryAfterOf)
      .toSorted((a, b) => a - b);
    expect(retries).toHaveLength(5);
    for (const [i, ms] of retries.entries()) {
      expect(ms).toBeLessThanOrEqual(Math.min(15_000, 10_000 + i * 5_000) + ROUNDING_MS);
      expect(ms).toBeGreaterThan(Math.min(15_000, 10_000 + i * 5_000) - 8_000);
    }
    // Another share has its own times.
    expect(waitOf(await reserveSlot(storeOf(0), account, 'hang-up', limit, 'ten_2'))).toBeLessThanOrEqual(
      5_000 + ROUNDING_MS,
    );
  });
});
