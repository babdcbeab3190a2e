import { Queue, type ConnectionOptions } from 'bullmq';
import { BACKOFF_TYPE, CATALOGUE, LANES, type JobName, type JobPayload, type Lane } from './catalogue.ts';
import { rescheduleEarlier } from './reschedule-earlier.ts';

/** The sending side of the catalogue. Every method may throw when Redis is away; the reconciler makes good what was not sent. */
export interface Jobs {
  /** Sends a job, to run after `delayMs` (default at once). One round trip. */
  enqueue<N extends JobName>(name: N, payload: JobPayload<N>, delayMs?: number): Promise<void>;
  /**
   * Arms a session's hang-up job to run in `delayMs`, or moves it forward to that; never back, since another may have moved it forward just
   * now. When it runs it looks at the session's rows, and waits again if it is early: a job that comes too soon costs nothing.
   */
  armHangUp(session: JobPayload<'hang-up-session'>, delayMs: number): Promise<void>;
}

export interface OpenJobs extends Jobs {
  close(): Promise<void>;
}

/** Finished jobs are dropped at once: an id that is still kept, even as completed, makes BullMQ ignore the next job of that id. */
const REMOVE_WHEN_FINISHED = { removeOnComplete: true, removeOnFail: true } as const;

/**
 * @param connection Redis for producers: it should fail at once rather than queue commands while Redis is away
 * @param prefix keys are put under it; tests use their own
 * @param now milliseconds, the time that BullMQ's delays are on
 */
export function openJobs({
  connection,
  prefix,
  now,
  onError,
}: {
  connection: ConnectionOptions;
  prefix: string;
  now: () => number;
  onError: (error: Error) => void;
}): OpenJobs {
  const queues = Object.fromEntries(
    LANES.map((lane) => {
      const queue = new Queue(lane, { connection, prefix, defaultJobOptions: REMOVE_WHEN_FINISHED });
      queue.on('error', onError);
      return [lane, queue];
    }),
  ) as Record<Lane, Queue>;

  const options = (name: JobName) => ({ attempts: CATALOGUE[name].attempts, backoff: { type: BACKOFF_TYPE } }) as const;

  return {
    async enqueue(name, payload, delayMs = 0) {
      await queues[CATALOGUE[name].lane].add(name, CATALOGUE[name].schema.parse(payload), {
        ...options(name),
        ...(delayMs > 0 ? { delay: delayMs } : {}),
      });
    },
    async armHangUp(session, delayMs) {
      const queue = queues['hang-up'];
      const delay = Math.max(0, Math.ceil(delayMs));
      const at = now() + delay;
      // The second is for while the first runs: it can't be moved then, and may have read the rows before they changed.
      for (const jobId of [`armed-${session.sessionId}`, `armed-again-${session.sessionId}`]) {
        const found = await rescheduleEarlier(queue, jobId, at, delay);
        if (found === 'in-time') return;
        if (found === 'running') continue;
        await queue.add('hang-up-session', session, { ...options('hang-up-session'), jobId, delay });
        // Somebody else may have added it meanwhile, to run later.
        await rescheduleEarlier(queue, jobId, at, delay);
        return;
      }
      await queue.add('hang-up-session', session, { ...options('hang-up-session'), delay });
    },
    async close() {
      await Promise.all(Object.values(queues).map((queue) => queue.close()));
    },
  };
}
