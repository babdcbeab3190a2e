/**
 * Measurements of a tenant's outbound calls, taken before each dial. A compromised tenant dials
 * many numbers, dials one number many times, or leaves calls up; each meter detects one of these
 * patterns.
 * - `callsPerMinute`: calls requested within the last minute
 * - `concurrent`: calls that are up or ringing
 * - `toOneNumber`: calls to the number being dialled, within the last hour
 * - `minutesPerDay`: minutes within the last 24 hours, running calls included
 * - `longestMinutes`: minutes that the longest running call has lasted
 */
export const FRAUD_METERS = ['callsPerMinute', 'concurrent', 'toOneNumber', 'minutesPerDay', 'longestMinutes'] as const;
export type FraudMeter = (typeof FRAUD_METERS)[number];

/** At `warn` the tenant is notified; above `critical` no further call is placed. */
interface Threshold {
  readonly warn: number;
  readonly critical: number;
}
export type FraudLimits = Readonly<Record<FraudMeter, Threshold>>;

/**
 * The platform's limits; a tenant can have its own. `longestMinutes.critical` is never reached in
 * normal operation: the provider's own timer ends a call after two hours.
 */
export const FRAUD_LIMITS: FraudLimits = {
  callsPerMinute: { warn: 30, critical: 60 },
  concurrent: { warn: 50, critical: 100 },
  toOneNumber: { warn: 15, critical: 30 },
  minutesPerDay: { warn: 2_000, critical: 5_000 },
  longestMinutes: { warn: 100, critical: 125 },
};

interface FraudFinding {
  readonly meter: FraudMeter;
  readonly measured: number;
  readonly level: 'warn' | 'critical';
  readonly threshold: number;
}

/**
 * Returns a tenant's own thresholds for a meter, completed from the platform's; `null` when the
 * tenant has none for it.
 * @param own stored JSON of any shape; values that are not thresholds are ignored
 */
export function readTenantThreshold(own: unknown, meter: FraudMeter): Threshold | null {
  const said = parseThreshold(own, meter);
  return Object.keys(said).length === 0 ? null : { ...FRAUD_LIMITS[meter], ...said };
}

/**
 * Returns the meters that have reached a threshold.
 * @param measured the values, with the requested call counted
 * @param own the tenant's own thresholds, as stored
 */
export function checkFraudMeters(measured: Readonly<Record<FraudMeter, number>>, own: unknown): FraudFinding[] {
  return FRAUD_METERS.flatMap((meter): FraudFinding[] => {
    const { warn, critical } = readTenantThreshold(own, meter) ?? FRAUD_LIMITS[meter];
    const value = measured[meter];
    // `critical` is the highest permitted value: only a greater one is rejected.
    if (value > critical) return [{ meter, measured: value, level: 'critical', threshold: critical }];
    return value >= warn ? [{ meter, measured: value, level: 'warn', threshold: warn }] : [];
  });
}

function parseThreshold(own: unknown, meter: FraudMeter): Partial<Threshold> {
  const found: unknown =
    typeof own === 'object' && own !== null && Object.hasOwn(own, meter)
      ? (own as Record<string, unknown>)[meter]
      : undefined;
  if (typeof found !== 'object' || found === null) return {};
  const { warn, critical } = found as Record<string, unknown>;
  return { ...(isCount(warn) ? { warn } : {}), ...(isCount(critical) ? { critical } : {}) };
}

const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;
