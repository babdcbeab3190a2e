import { faults } from '@partyline/dev/faults/faults';
import { expect, it } from 'vitest';
import { FULL, planFaults, planParties, QUICK } from './plan.ts';

it('is the same for the same seed, and another for another', () => {
  expect([planParties(7, FULL), planFaults(7, FULL)]).toEqual([planParties(7, FULL), planFaults(7, FULL)]);
  expect(planFaults(8, FULL)).not.toEqual(planFaults(7, FULL));
});

it.each([1, 2, 3, 4, 5])('plays every fault in a full run, and enough of them (seed %i)', (seed) => {
  const planned = planFaults(seed, FULL);
  expect(planned.length).toBeGreaterThanOrEqual(60);
  expect(new Set(planned.map(({ fault }) => fault.name)).size).toBe(faults.length);
  expect(Math.max(...planned.map(({ atMs }) => atMs))).toBeLessThan(FULL.loadMs);
});

it.each([1, 2, 3, 4, 5])('has the ones that matter most in a quick run (seed %i)', (seed) => {
  const names = planFaults(seed, QUICK).map(({ fault }) => fault.name);
  expect(names.length).toBeGreaterThanOrEqual(8);
  for (const name of ['kill', 'freeze', 'redis-flush', 'postgres-restart', 'provider-no-effect'])
    expect(names).toContain(name);
});

it.each([FULL, QUICK])('lets every deadline come while the load lasts', (size) => {
  expect(
    planParties(1, size).filter(({ ending, atMs }) => ending === 'deadline' && atMs + 60_000 >= size.loadMs),
  ).toEqual([]);
});
