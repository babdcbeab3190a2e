import { describe, expect, it } from 'vitest';
import {
  listMissingRealFaults,
  listMissingSimulatedFaults,
  listMissingUses,
  listShortfalls,
  REQUIRED_AMOUNTS,
  REQUIRED_FAULTS,
  REQUIRED_USES,
} from './required-amounts.ts';

describe('listShortfalls', () => {
  it('names the done and the required amount of each shortfall', () => {
    expect(listShortfalls(false, { simulatedDays: 1_000, simulatedLegs: 999_999, realFaults: 59 })).toEqual([
      'the run did 999999 simulated legs; 1000000 are required',
      'the run did 59 faults on real processes; 60 are required',
    ]);
  });

  it('is empty when every required amount was done', () => {
    expect(listShortfalls(false, REQUIRED_AMOUNTS.full)).toEqual([]);
    expect(listShortfalls(true, REQUIRED_AMOUNTS.quick)).toEqual([]);
  });
});

describe('required faults', () => {
  it('names each simulated fault that was injected too rarely', () => {
    expect(listMissingSimulatedFaults(true, { kill: 1 })).toContain(
      'the simulation injected redis-full 0 times; 50 are required',
    );
    expect(listMissingSimulatedFaults(true, REQUIRED_FAULTS.quick.simulated)).toEqual([]);
  });

  it('names each real fault that was not injected', () => {
    const { real } = REQUIRED_FAULTS.quick;
    expect(listMissingRealFaults(true, new Set(['kill', ...real.slice(1)]))).toEqual([
      `the run did not inject ${real[0]} into real processes`,
    ]);
    expect(listMissingRealFaults(true, new Set(real))).toEqual([]);
  });
});

it('names each use of the self-hosted provider that was too rare', () => {
  expect(listMissingUses(false, { ...REQUIRED_USES.full, 'deadline-reached': 3 })).toEqual([
    'the simulation has deadline-reached 3 times; 40 are required',
  ]);
  expect(listMissingUses(true, REQUIRED_USES.quick)).toEqual([]);
});

it('requires the amounts of docs/guarantee.md from a full run', () => {
  expect(REQUIRED_AMOUNTS.full).toMatchObject({
    simulatedDays: 1_000,
    simulatedLegs: 1_000_000,
    simulatedFaults: 1_000_000,
    realFaults: 60,
    realLegs: 400,
  });
});
