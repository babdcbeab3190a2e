import { describe, expect, it } from 'vitest';
import { FRAUD_LIMITS, FRAUD_METERS, checkFraudMeters } from './fraud.ts';

const NONE = { callsPerMinute: 1, concurrent: 1, toOneNumber: 1, minutesPerDay: 0, longestMinutes: 0 };

describe('checkFraudMeters', () => {
  it('returns no finding for an ordinary call', () => {
    expect(checkFraudMeters(NONE, {})).toEqual([]);
  });

  it.each(FRAUD_METERS)('%s: warns from the warn threshold and is critical above the critical one', (meter) => {
    const { warn, critical } = FRAUD_LIMITS[meter];
    const levels = [warn - 1, warn, critical, critical + 1].map(
      (value) => checkFraudMeters({ ...NONE, [meter]: value }, {})[0]?.level,
    );
    expect(levels).toEqual([undefined, 'warn', 'warn', 'critical']);
  });

  it("applies a tenant's own thresholds, each on its own", () => {
    expect(checkFraudMeters({ ...NONE, concurrent: 3 }, { concurrent: { critical: 2 } })).toEqual([
      { meter: 'concurrent', measured: 3, level: 'critical', threshold: 2 },
    ]);
    expect(checkFraudMeters({ ...NONE, concurrent: 3 }, { concurrent: { warn: 3 } })).toEqual([
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
  ] as [unknown][])('ignores values that are not thresholds: %j', (own) => {
    expect(checkFraudMeters({ ...NONE, concurrent: 40 }, own)).toEqual([]);
  });
});
