import { describe, expect, it } from 'vitest';
import { FRAUD_LIMITS, FRAUD_METERS, judgeFraud } from './fraud.ts';

const NONE = { callsPerMinute: 1, concurrent: 1, toOneNumber: 1, minutesPerDay: 0, longestMinutes: 0 };

describe('the fraud meters', () => {
  it('say nothing of an ordinary call', () => {
    expect(judgeFraud(NONE, {})).toEqual([]);
  });

  it.each(FRAUD_METERS)('warn of %s from its threshold on, and refuse past the critical one', (meter) => {
    const { warn, critical } = FRAUD_LIMITS[meter];
    const levels = [warn - 1, warn, critical, critical + 1].map(
      (value) => judgeFraud({ ...NONE, [meter]: value }, {})[0]?.level,
    );
    expect(levels).toEqual([undefined, 'warn', 'warn', 'critical']);
  });

  it('take a tenant’s own thresholds, one at a time', () => {
    expect(judgeFraud({ ...NONE, concurrent: 3 }, { concurrent: { critical: 2 } })).toEqual([
      { meter: 'concurrent', measured: 3, level: 'critical', threshold: 2 },
    ]);
    expect(judgeFraud({ ...NONE, concurrent: 3 }, { concurrent: { warn: 3 } })).toEqual([
      { meter: 'concurrent', measured: 3, level: 'warn', threshold: 3 },
    ]);
  });

  it.each([
    [null],
    ['x'],
    [7],
    [[]],
    [{ concurrent: 'x' }],
    [{ concurrent: { warn: -1, critical: Number.NaN } }],
    [{ toString: { warn: 0 } }],
  ] as [unknown][])('pass over what is no threshold: %j', (own) => {
    expect(judgeFraud({ ...NONE, concurrent: 40 }, own)).toEqual([]);
  });
});
