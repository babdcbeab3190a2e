import { backoff } from '@partyline/domain/backoff';
import { z } from 'zod';

const ofSession = z.object({ tenantId: z.string().min(1), sessionId: z.string().min(1) });

/**
 * All durable commands, with lane, payload and number of attempts. There are three lanes, so that a
 * hang-up never waits behind a dial, and a job without provider requests never waits behind one
 * with them.
 *
 * Job data is clear text, so it carries ids only. A job names the rows to look at; the rows state
 * what to do. A duplicate, late or lost job therefore affects nothing but the delay.
 */
export const CATALOGUE = {
  /** Updates a session's clocks and bridge after an admission, which is a single SQL statement. */
  'settle-session': { lane: 'conference', schema: ofSession, attempts: 5 },
  /** Dials the bridge leg if the session needs one and has none. */
  'open-bridge': { lane: 'dial', schema: ofSession, attempts: 5 },
  /** Moves the deadlines of a session's calls at the provider, after its end has changed. */
  'move-deadlines': { lane: 'dial', schema: ofSession, attempts: 5 },
  /** Dials the phone number of a leg. */
  'dial-out': {
    lane: 'dial',
    schema: z.object({ tenantId: z.string().min(1), legId: z.string().min(1) }),
    attempts: 5,
  },
  /**
   * Ends a session at its deadline, and hangs up its legs until every one is confirmed. Runs
   * without a limit on attempts.
   */
  'hang-up-session': { lane: 'hang-up', schema: ofSession, attempts: 1_000_000 },
  /**
   * Hangs up one leg: one that was removed from a running session, or that joined an ended one.
   * `tenantId` is null for a caller that was never admitted.
   */
  'hang-up-leg': {
    lane: 'hang-up',
    schema: z.object({ tenantId: z.string().nullable(), legId: z.string().min(1) }),
    attempts: 1_000_000,
  },
} as const satisfies Record<string, { lane: string; schema: z.ZodType; attempts: number }>;

export type JobName = keyof typeof CATALOGUE;
export type JobPayload<N extends JobName> = z.infer<(typeof CATALOGUE)[N]['schema']>;
export type Lane = (typeof CATALOGUE)[JobName]['lane'];
export const LANES = ['conference', 'dial', 'hang-up'] as const satisfies readonly Lane[];

/** The BullMQ back-off type that the workers map to `jobBackoffMs`. */
export const BACKOFF_TYPE = 'capped';

/**
 * Milliseconds before a failed job runs again: 0.5 s, doubling to 15 s. BullMQ's exponential
 * back-off has no cap: a hang-up that failed for an hour would wait for another hour.
 */
export const jobBackoffMs = (failures: number): number => backoff(failures, { firstMs: 500, maxMs: 15_000 });

/**
 * The lock of a worker on its job. The job of a killed worker runs again after about
 * `lockDuration`. With BullMQ's defaults that takes a minute, and the job is given up at the second
 * kill.
 */
export const WORKER_LOCK = { lockDuration: 6_000, stalledInterval: 3_000, maxStalledCount: 1_000 } as const;
