import { faults } from '@partyline/dev/faults/faults';
import { describe, expect, it } from 'vitest';
import { REQUIRED_FAULTS } from '../stages/required-amounts.ts';
import { FULL_SIZE, planFaults, planMeetings, QUICK_SIZE } from './plan.ts';

describe('planFaults', () => {
  it('gives one plan per seed', () => {
    expect(planFaults(7, FULL_SIZE)).toEqual(planFaults(7, FULL_SIZE));
    expect(planFaults(8, FULL_SIZE)).not.toEqual(planFaults(7, FULL_SIZE));
  });

  it.each([1, 2, 3, 4, 5])('plans every fault, and at least 60, for a full run (seed %i)', (seed) => {
    const planned = planFaults(seed, FULL_SIZE);
    expect(planned.length).toBeGreaterThanOrEqual(60);
    expect(new Set(planned.map(({ fault }) => fault.name)).size).toBe(faults.length);
    expect(Math.max(...planned.map(({ atMs }) => atMs))).toBeLessThan(FULL_SIZE.loadMs);
  });

  it.each([1, 2, 3, 4, 5])('plans the required faults for a quick run (seed %i)', (seed) => {
    const names = planFaults(seed, QUICK_SIZE).map(({ fault }) => fault.name);
    expect(names.length).toBeGreaterThanOrEqual(8);
    expect(names).toEqual(
      expect.arrayContaining(['kill', 'freeze', 'redis-flush', 'postgres-restart', 'provider-no-effect']),
    );
    expect(names).toEqual(expect.arrayContaining([...REQUIRED_FAULTS.quick.real]));
  });
});

describe('planMeetings', () => {
  it('gives one plan per seed', () => {
    expect(planMeetings(7, FULL_SIZE)).toEqual(planMeetings(7, FULL_SIZE));
  });

  it.each([FULL_SIZE, QUICK_SIZE])('places every deadline within the load (%#)', (size) => {
    expect(
      planMeetings(1, size).filter(({ ending, atMs }) => ending === 'deadline' && atMs + 60_000 >= size.loadMs),
    ).toEqual([]);
  });
});
