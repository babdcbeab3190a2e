import { z } from 'zod';

const ofSession = z.object({ tenantId: z.string().min(1), sessionId: z.string().min(1) });

/**
 * Every durable command, in one place: its lane, its payload, how often it is tried. Three lanes, so that a hang-up never waits behind a
 * dial, nor what asks no vendor behind what waits for one. A job carries ids only (job data is clear text), names its tenant, and says what to look at, not what to do: the rows say that, so
 * a job that comes twice, late or never changes nothing but the delay.
 */
export const CATALOGUE = {
  /** Bring a session's clocks and its bridge up to date after somebody came in by a single statement (admission). */
  'settle-session': { lane: 'conference', schema: ofSession, attempts: 5 },
  /** Dial the leg that ties the video session to the voice conference, if it is wanted and there is none. */
  'open-bridge': { lane: 'dial', schema: ofSession, attempts: 5 },
  /** Ring the phone that a leg's row names. */
  'dial-out': {
    lane: 'dial',
    schema: z.object({ tenantId: z.string().min(1), legId: z.string().min(1) }),
    attempts: 5,
  },
  /** At its deadline, or as soon as it ends: end the session and hang up its legs until every one is confirmed. Waits for as long as it takes. */
  'hang-up-session': { lane: 'hang-up', schema: ofSession, attempts: 1_000_000 },
  /** Hang up one leg that is let go while its session goes on, or came into one that is over. `tenantId` is null for a caller who was never admitted. */
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

/** The name under which the workers know `backOffMs`. */
export const BACKOFF_TYPE = 'capped';

/** Milliseconds before a job that threw runs again: 0.5 s, doubling to 15 s. BullMQ's own has no cap, and a hang-up that failed for an hour would wait for another. */
export const jobBackoffMs = (failures: number): number => Math.min(15_000, 500 * 2 ** Math.min(failures - 1, 5));

/** A worker's lock: a job whose worker is killed runs again after about this long. BullMQ's defaults take a minute and give up at the second kill (reliability.md section 0.1). */
export const WORKER_LOCK = { lockDuration: 6_000, stalledInterval: 3_000, maxStalledCount: 1_000 } as const;
