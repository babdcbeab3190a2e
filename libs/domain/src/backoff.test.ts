import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoff } from './backoff.ts';

const RANGE = { firstMs: 500, maxMs: 15_000 };

describe('backoff', () => {
  it('doubles the wait with each failure, up to the cap', () => {
    expect([1, 2, 3, 4, 5, 6, 7].map((failures) => backoff(failures, RANGE))).toEqual([
      500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000,
    ]);
  });

  it('treats a count below 1 as one failure', () => {
    expect([0, -1].map((failures) => backoff(failures, RANGE))).toEqual([500, 500]);
  });

  it('never decreases and never exceeds the cap', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        (failures, firstMs, maxMs) => {
          const wait = backoff(failures, { firstMs, maxMs });
          expect(wait).toBeLessThanOrEqual(maxMs);
          expect(backoff(failures + 1, { firstMs, maxMs })).toBeGreaterThanOrEqual(wait);
        },
      ),
    );
  });
});
