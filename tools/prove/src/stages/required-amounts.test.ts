import { expect, it } from 'vitest';
import { ASKED, shortOf } from './required-amounts.ts';

it('says what was done and what is asked, and nothing when it was enough', () => {
  expect(shortOf(false, { simulatedDays: 1_000, simulatedLegs: 999_999, realFaults: 59 })).toEqual([
    '999999 simulated legs were done, and 1000000 are asked',
    '59 faults on real processes were done, and 60 are asked',
  ]);
  expect(shortOf(false, ASKED.full)).toEqual([]);
  expect(shortOf(true, ASKED.quick)).toEqual([]);
});

it('asks of a full run what the issue asks', () => {
  expect(ASKED.full).toMatchObject({
    simulatedDays: 1_000,
    simulatedLegs: 1_000_000,
    simulatedFaults: 1_000_000,
    realFaults: 60,
    realLegs: 400,
  });
});
