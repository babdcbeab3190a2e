import { Queue, type ConnectionOptions } from 'bullmq';
import { CATALOGUE, LANES, type JobName, type JobPayload, type Lane } from './catalogue.ts';

/** The sending side of the catalogue. Every method may throw when Redis is away; the sweep makes good what was not sent. */
export interface Jobs {
  /** Sends a job, to run after `delayMs` (default at once). One round trip. */
  enqueue<N extends JobName>(name: N, payload: JobPayload<N>, delayMs?: number): Promise<void>;
  /**
   * Arms a session's hang-up job, or moves it: after this it runs in `delayMs` or sooner, and when it runs it looks at the session's rows
   * and waits again if it is early.
   */
  armHangUp(session: JobPayload<'hang-up-session'>, delayMs: number): Promise<void>;
}

export interface OpenJobs extends Jobs {
  close(): Promise<void>;
}

/** Finished jobs are dropped at once: an id that is still kept, even as completed, makes BullMQ ignore the next job of that id. */
const FORGET = { removeOnComplete: true, removeOnFail: true } as const;

/**
 * @param connection Redis for producers: it should fail at once rather than queue commands while Redis is away
 * @param prefix keys are put under it; tests use their own
 */
export function openJobs({ connection, prefix, onError }: { connection: ConnectionOptions; prefix: string; onError: (error: Error) => void }): OpenJobs {
  const queues = Object.fromEntries(
    LANES.map((lane) => {
      const queue = new Queue(lane, { connection, prefix, defaultJobOptions: FORGET });
      queue.on('error', onError);
      return [lane, queue];
    }),
  ) as Record<Lane, Queue>;

  const options = (name: JobName) => ({ attempts: CATALOGUE[name].attempts, backoff: { type: 'exponential', delay: 500, jitter: 0.5 } }) as const;

  return {
    async enqueue(name, payload, delayMs = 0) {
      await queues[CATALOGUE[name].lane].add(name, CATALOGUE[name].schema.parse(payload), { ...options(name), ...(delayMs > 0 ? { delay: delayMs } : {}) });
    },
    async armHangUp(session, delayMs) {
      const queue = queues['hang-up'];
      const jobId = `hang-up-${session.sessionId}`;
      const armed = await queue.getJob(jobId);
      if (armed !== undefined) {
        const moved = await armed.changeDelay(Math.max(0, delayMs)).then(() => true, () => false);
        if (moved) return;
      }
      // Running at this moment it can't be moved, and may have read the rows before they changed: a second one looks again.
      const id = armed === undefined ? jobId : `${jobId}-again`;
      await queue.add('hang-up-session', session, { ...options('hang-up-session'), jobId: id, delay: Math.max(0, delayMs) });
    },
    async close() {
      await Promise.all(Object.values(queues).map((queue) => queue.close()));
    },
  };
}
