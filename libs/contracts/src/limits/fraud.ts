import { z } from 'zod';

const count = (description: string, example: number) =>
  z
    .int('must be a whole number')
    .min(0, 'must be at least 0')
    .max(1_000_000, 'must be at most 1000000')
    .meta({ description: `${description} Whole number, 0 to 1000000.`, examples: [example] });

const Threshold = z
  .strictObject({
    warn: count('From here on the tenant is told; at most `critical`.', 50),
    critical: count('Beyond this nobody more is rung.', 100),
  })
  .refine(({ warn, critical }) => warn <= critical, { path: ['warn'], message: 'must not be more than critical' })
  .meta({
    id: 'FraudThreshold',
    description: 'From when on a tenant is warned of its calls to telephones, and beyond what they are refused.',
  });

const own = (description: string) =>
  Threshold.nullable()
    .optional()
    .meta({ description: `${description} Null: the platform’s.` });

/** A tenant's own thresholds; a meter that is left out stays as it was. The platform's stand in docs/fraud.md. */
export const FraudLimits = z
  .strictObject({
    callsPerMinute: own('Calls asked for within a minute.'),
    concurrent: own('Calls that ring or are up.'),
    toOneNumber: own('Calls to one number within an hour.'),
    minutesPerDay: own('Minutes of calls within 24 hours, what is up included.'),
    longestMinutes: own('Minutes that the longest call has been up.'),
  })
  .meta({ id: 'FraudLimits', description: 'A tenant’s own thresholds of calls that look like a thief’s.' });
export type FraudLimits = z.output<typeof FraudLimits>;
