import type { Clock, Ids, RandomInt } from '@partyline/domain/clock';
import { FakeClock } from '@partyline/testing/fake-clock';
import { SeededIds, seededRandomInt } from '@partyline/testing/seeded';
import { expect, test } from 'vitest';

// libs/testing imports no other package, since tests of the domain use it. This file checks its
// doubles against the domain's types.
const clock: Clock = new FakeClock();
const ids: Ids = new SeededIds(7);
const random: RandomInt = seededRandomInt(7);

test('FakeClock changes only when advanced, and never back', () => {
  const fake = new FakeClock('2026-03-01T10:00:00.000Z');
  expect(fake.now()).toEqual(fake.now());
  fake.advance({ minutes: 1, seconds: 30 });
  expect(fake.now().toISOString()).toBe('2026-03-01T10:01:30.000Z');
  expect(() => fake.advance({ ms: -1 })).toThrow('cannot move the clock back');
  expect(clock.now().toISOString()).toBe('2026-01-01T00:00:00.000Z');
});

test('SeededIds and seededRandomInt repeat for a seed and differ within a run', () => {
  const sameSeed = new SeededIds(7);
  const first = ids.next('leg');
  expect(first).toMatch(/^leg_[\w-]{22}$/);
  expect(sameSeed.next('leg')).toBe(first);
  expect(ids.next('leg')).not.toBe(first);
  const numbers = Array.from({ length: 1_000 }, () => random(10));
  expect(new Set(numbers).size).toBe(10);
  expect(Math.max(...numbers)).toBe(9);
});
