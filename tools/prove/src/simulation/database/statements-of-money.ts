import { answer, done, one, type Twin } from './answers.ts';

/**
 * What dialling and closing say of money. Its tenants have no limit of it, and thresholds of fraud that nobody reaches: the simulation is about hang-ups, and the
 * sums themselves are libs/store's own tests. A call's record is kept all the same, to see that none is written twice.
 */
export const MONEY: Readonly<Record<string, Twin>> = {
  'dial-policy': () => one({ countries: ['GB'], fraudLimits: {} }),
  'hold-spend': () => answer([]),
  'meter-dials': () => one({ callsPerMinute: 0, concurrent: 0, toOneNumber: 0, minutesPerDay: 0, longestMinutes: 0 }),
  'store-cdr': (tables, [id]) => {
    if (tables.cdrs.has(id as string)) return done(0);
    tables.put(tables.cdrs, id as string, true);
    return done(1);
  },
};
