import { expect, it } from 'vitest';
import { computeBound } from './bounds.ts';

const OUTAGE = { fault: 'rest-503', from: 0, to: 60_000 };
const LATER_OUTAGE = { fault: 'rest-429', from: 65_000, to: 100_000 };
const REDIS_DOWN = { fault: 'redis-down', from: 0, to: 60_000 };

it.each([
  ['one failed attempt', [], 1, 10_000, 30_000],
  ['two failed attempts, which are an outage of their own', [], 2, 40_000, 70_000],
  ['an outage of the provider', [OUTAGE], 0, 0, 90_000],
  ['an outage of the provider, and an attempt that failed after it', [OUTAGE], 1, 85_000, 115_000],
  ['failed attempts, and an outage within 30 s of the last', [LATER_OUTAGE], 3, 45_000, 130_000],
  ['one failed attempt, and an outage after its bound', [LATER_OUTAGE], 1, 45_000, 30_000],
  ['an outage of Redis, and an attempt that failed after it', [REDIS_DOWN], 1, 85_000, 90_000],
  ['a false end, and an attempt of the inventory that failed', [], 1, 140_000, 230_000, 'false-disconnected'],
  ['a false end, and an attempt that failed before it', [], 1, 10_000, 150_000, 'false-completed'],
  ['a hang-up job that was lost', [], 0, 0, 30_000, 'hang-up-job-lost'],
])('a leg with %s', (_, episodes, failedAttempts, lastFailedAttemptAt, deadline, fault = 'accepted-but-alive') => {
  expect(
    computeBound({
      from: 0,
      faults: new Set(failedAttempts > 0 || fault === 'hang-up-job-lost' ? [fault] : []),
      episodes,
      failedLists: [],
      omittedAt: [],
      simultaneousEnds: 0,
      failedAttempts,
      lastFailedAttemptAt,
      isOrphan: fault.startsWith('false'),
    }).deadline,
  ).toBe(deadline);
});
