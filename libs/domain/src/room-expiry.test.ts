import fc from 'fast-check';
import { expect, it, test } from 'vitest';
import { computeExpiry } from './room-expiry.ts';

const NOON = new Date('2026-03-01T12:00:00.000Z');
const days = (n: number): Date => new Date(NOON.getTime() + n * 86_400_000);

test.each([
  { name: 'no rule', of: { expires_at: null, idle_days: null }, at: null },
  { name: 'expires_at only', of: { expires_at: days(3), idle_days: null }, at: days(3) },
  { name: 'idle_days only', of: { expires_at: null, idle_days: 2 }, at: days(2) },
  { name: 'both, idle_days first', of: { expires_at: days(3), idle_days: 2 }, at: days(2) },
  { name: 'both, expires_at first', of: { expires_at: days(1), idle_days: 2 }, at: days(1) },
])('computeExpiry with $name', ({ of, at }) => expect(computeExpiry(of, NOON)).toEqual(at));

it('computeExpiry never returns a time later than either rule', () => {
  fc.assert(
    fc.property(
      fc.option(fc.integer({ min: 0, max: 900 }), { nil: null }),
      fc.option(fc.integer({ min: 1, max: 365 }), { nil: null }),
      fc.integer({ min: 0, max: 365 }),
      (moment, idle_days, used) => {
        const of = { expires_at: moment === null ? null : days(moment), idle_days };
        const at = computeExpiry(of, days(used));
        expect(at === null).toBe(moment === null && idle_days === null);
        if (at === null) return;
        if (of.expires_at !== null) expect(at.getTime()).toBeLessThanOrEqual(of.expires_at.getTime());
        if (idle_days !== null) expect(at.getTime()).toBeLessThanOrEqual(days(used + idle_days).getTime());
      },
    ),
  );
});
