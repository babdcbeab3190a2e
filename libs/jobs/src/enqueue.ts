import { Queue, type ConnectionOptions } from 'bullmq';
import { BACKOFF_TYPE, CATALOGUE, LANES, type JobName, type JobPayload, type Lane } from './catalogue.ts';
import { rescheduleEarlier } from './reschedule-earlier.ts';

/**
 * Sends the jobs of the catalogue. Every method can throw while Redis is unavailable; the
 * reconciler does the work of lost jobs.
 */
export interface Jobs {
  /** Sends a job that runs after `delayMs` (default: at once). One round trip. */
  enqueue<N extends JobName>(name: N, payload: JobPayload<N>, delayMs?: number): Promise<void>;
  /**
   * Arms a session's hang-up job to run in `delayMs`, or moves an armed one forward to that time.
   * It never moves a job back, because another process may have moved it forward. A job that runs
   * too early reads the session's rows and waits again.
   */
  armHangUp(session: JobPayload<'hang-up-session'>, delayMs: number): Promise<void>;
  /** Throws when Redis does not answer, for work that must not be accepted without it. */
  assertReachable(): Promise<void>;
}

export interface OpenJobs extends Jobs {
  close(): Promise<void>;
}

/**
 * Removes finished jobs at once: BullMQ ignores a new job while a finished one with the same id is
 * kept.
 */
const REMOVE_WHEN_FINISHED = { removeOnComplete: true, removeOnFail: true } as const;

/**
 * Opens the producers of all lanes.
 * @param connection Redis connection for producers; it should fail at once while Redis is
 *   unavailable
 * @param prefix prefix of all keys; each test uses its own
 * @param now current time in milliseconds, on the clock of BullMQ's delays
 * @param watch receives each connection, to check it while it is idle
 */
export function openJobs({
  connection,
  prefix,
  now,
  onError,
  watch = () => undefined,
}: {
  connection: ConnectionOptions;
  prefix: string;
  now: () => number;
  onError: (error: Error) => void;
  watch?: (client: object) => void;
}): OpenJobs {
  const queues = Object.fromEntries(
    LANES.map((lane) => {
      const queue = new Queue(lane, { connection, prefix, defaultJobOptions: REMOVE_WHEN_FINISHED });
      queue.on('error', onError);
      queue.getBackend().client.then(watch, onError);
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
      // While the first job runs it cannot be moved, and it may have read the rows before they
      // changed. The second one covers that.
      for (const jobId of [`armed-${session.sessionId}`, `armed-again-${session.sessionId}`]) {
        const state = await rescheduleEarlier(queue, jobId, at, delay);
        if (state === 'in-time') return;
        if (state === 'running') continue;
        await queue.add('hang-up-session', session, { ...options('hang-up-session'), jobId, delay });
        // Another process may have added the job meanwhile, with a later time.
        await rescheduleEarlier(queue, jobId, at, delay);
        return;
      }
      await queue.add('hang-up-session', session, { ...options('hang-up-session'), delay });
    },
    async assertReachable() {
      const client = (await queues.dial.getBackend().client) as unknown as { ping(): Promise<unknown> };
      await client.ping();
    },
    async close() {
      await Promise.all(Object.values(queues).map((queue) => queue.close()));
    },
  };
}
