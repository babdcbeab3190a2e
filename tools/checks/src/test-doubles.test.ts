import type { Clock, Ids, RandomInt } from '@partyline/domain/clock';
import { FakeClock } from '@partyline/testing/fake-clock';
import { SeededIds, seededRandomInt } from '@partyline/testing/seeded';
import { expect, test } from 'vitest';

// libs/testing imports nothing of ours (a test of the domain may use it), so that its doubles fit the domain's types is proved here.
const clock: Clock = new FakeClock();
const ids: Ids = new SeededIds(7);
const random: RandomInt = seededRandomInt(7);

test('the fake clock stands still until advanced', () => {
  const fake = new FakeClock('2026-03-01T10:00:00.000Z');
  expect(fake.now()).toEqual(fake.now());
  fake.advance({ minutes: 1, seconds: 30 });
  expect(fake.now().toISOString()).toBe('2026-03-01T10:01:30.000Z');
  expect(() => fake.advance({ ms: -1 })).toThrow('only advances');
  expect(clock.now().toISOString()).toBe('2026-01-01T00:00:00.000Z');
});

test('seeded ids and integers repeat for a seed and differ within a run', () => {
  const again = new SeededIds(7);
  const first = ids.next('leg');
  expect(first).toMatch(/^leg_[\w-]{22}$/);
  expect(again.next('leg')).toBe(first);
  expect(ids.next('leg')).not.toBe(first);
  const drawn = Array.from({ length: 1_000 }, () => random(10));
  expect(new Set(drawn).size).toBe(10);
  expect(Math.max(...drawn)).toBe(9);
});
