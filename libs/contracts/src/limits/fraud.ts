import { z } from 'zod';

const count = (description: string, example: number) =>
  z
    .int('must be a whole number')
    .min(0, 'must be at least 0')
    .max(1_000_000, 'must be at most 1000000')
    .meta({ description: `${description} Whole number, 0 to 1000000.`, examples: [example] });

const FraudThreshold = z
  .strictObject({
    warn: count('From this value on a `fraud.warning` is sent. At most `critical`.', 50),
    critical: count('Above this value calls are rejected.', 100),
  })
  .refine(({ warn, critical }) => warn <= critical, { path: ['warn'], message: 'must not be more than critical' })
  .meta({ id: 'FraudThreshold', description: 'The thresholds of one fraud meter.' });

const ownThreshold = (description: string) =>
  FraudThreshold.nullable()
    .optional()
    .meta({ description: `${description} Null: the threshold of the platform.` });

/** A tenant's own thresholds. The platform's are in docs/fraud.md. */
export const FraudLimits = z
  .strictObject({
    callsPerMinute: ownThreshold('Calls requested per minute.'),
    concurrent: ownThreshold('Calls that ring or are answered.'),
    toOneNumber: ownThreshold('Calls to one number per hour.'),
    minutesPerDay: ownThreshold('Call minutes per 24 hours, including running calls.'),
    longestMinutes: ownThreshold('Minutes of the longest running call.'),
  })
  .meta({ id: 'FraudLimits', description: 'Fraud thresholds of one tenant.' });
export type FraudLimits = z.output<typeof FraudLimits>;
