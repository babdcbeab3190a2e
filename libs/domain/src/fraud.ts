/**
 * What is counted of a tenant's calls to telephones, each time that it asks for one more. A tenant that was broken into rings many numbers,
 * or one number again and again, or leaves calls up; each meter sees one of these.
 * - `callsPerMinute`: calls asked for within a minute
 * - `concurrent`: calls that are up or ringing
 * - `toOneNumber`: calls to the number that is to be rung, within an hour
 * - `minutesPerDay`: minutes within 24 hours, what is up included
 * - `longestMinutes`: minutes that the longest call has been up
 */
export const FRAUD_METERS = ['callsPerMinute', 'concurrent', 'toOneNumber', 'minutesPerDay', 'longestMinutes'] as const;
export type FraudMeter = (typeof FRAUD_METERS)[number];

/** From `warn` on the tenant is told; from `critical` on nobody more is rung. */
interface Threshold {
  readonly warn: number;
  readonly critical: number;
}
export type FraudLimits = Readonly<Record<FraudMeter, Threshold>>;

/** The platform's; a tenant may have others. No call is up for as long as the last: the vendor's own timer ends it at two hours. */
export const FRAUD_LIMITS: FraudLimits = {
  callsPerMinute: { warn: 30, critical: 60 },
  concurrent: { warn: 50, critical: 100 },
  toOneNumber: { warn: 15, critical: 30 },
  minutesPerDay: { warn: 2_000, critical: 5_000 },
  longestMinutes: { warn: 100, critical: 125 },
};

interface FraudSign {
  readonly meter: FraudMeter;
  readonly measured: number;
  readonly level: 'warn' | 'critical';
  readonly threshold: number;
}

/** What a tenant's own thresholds say of a meter, filled up from the platform's; `null` when they say nothing. `own` may be anything: what is no threshold is passed over. */
export function ownThreshold(own: unknown, meter: FraudMeter): Threshold | null {
  const said = thresholdIn(own, meter);
  return Object.keys(said).length === 0 ? null : { ...FRAUD_LIMITS[meter], ...said };
}

/** Which meters stand too high, the call that is asked for included. `own` holds what differs for this tenant. */
export function judgeFraud(measured: Readonly<Record<FraudMeter, number>>, own: unknown): FraudSign[] {
  return FRAUD_METERS.flatMap((meter): FraudSign[] => {
    const { warn, critical } = ownThreshold(own, meter) ?? FRAUD_LIMITS[meter];
    const value = measured[meter];
    // At the critical threshold itself the last call is still made: that many are allowed.
    if (value > critical) return [{ meter, measured: value, level: 'critical', threshold: critical }];
    return value >= warn ? [{ meter, measured: value, level: 'warn', threshold: warn }] : [];
  });
}

function thresholdIn(own: unknown, meter: FraudMeter): Partial<Threshold> {
  const found: unknown =
    typeof own === 'object' && own !== null && Object.hasOwn(own, meter)
      ? (own as Record<string, unknown>)[meter]
      : undefined;
  if (typeof found !== 'object' || found === null) return {};
  const { warn, critical } = found as Record<string, unknown>;
  return { ...(isCount(warn) ? { warn } : {}), ...(isCount(critical) ? { critical } : {}) };
}

const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;
