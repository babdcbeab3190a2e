import { expect, it } from 'vitest';
import { RateLimit } from './rate-limit.ts';

it('allows a burst, and then a rate', () => {
  const limit = new RateLimit({ perSecond: 50, burst: 200 }, 1_000);
  const takeMany = (count: number, atMs: number): number =>
    Array.from({ length: count }, () => limit.take(atMs)).filter(Boolean).length;
  expect(takeMany(300, 1_000)).toBe(200);
  expect(takeMany(10, 1_010)).toBe(0);
  expect(takeMany(10, 1_100)).toBe(5);
  expect(takeMany(300, 61_000)).toBe(200);
});

it('does not gain from a clock that goes back', () => {
  const limit = new RateLimit({ perSecond: 1, burst: 1 }, 1_000);
  expect(limit.take(1_000)).toBe(true);
  expect(limit.take(0)).toBe(false);
});
