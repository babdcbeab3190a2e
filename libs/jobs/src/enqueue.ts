import { Queue, type ConnectionOptions } from 'bullmq';
import { BACK_OFF, CATALOGUE, LANES, type JobName, type JobPayload, type Lane } from './catalogue.ts';

/** The sending side of the catalogue. Every method may throw when Redis is away; the reconciler makes good what was not sent. */
export interface Jobs {
  /** Sends a job, to run after `delayMs` (default at once). One round trip. */
  enqueue<N extends JobName>(name: N, payload: JobPayload<N>, delayMs?: number): Promise<void>;
  /** Sends a job unless one about the same thing, sent this way, still waits or runs. */
  ensure<N extends JobName>(name: N, payload: JobPayload<N>): Promise<void>;
  /**
   * Arms a session's hang-up job, or moves it, to run in `delayMs`. When it runs it looks at the session's rows, and waits again if it is
   * early: a job that comes too soon costs nothing.
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

  const options = (name: JobName) => ({ attempts: CATALOGUE[name].attempts, backoff: { type: BACK_OFF } }) as const;

  const ensure: Jobs['ensure'] = async (name, payload) => {
    const { lane, schema, about } = CATALOGUE[name];
    const checked = schema.parse(payload);
    await queues[lane].add(name, checked, { ...options(name), jobId: `${name}-${(about as (of: unknown) => string)(checked)}` });
  };

  return {
    async enqueue(name, payload, delayMs = 0) {
      await queues[CATALOGUE[name].lane].add(name, CATALOGUE[name].schema.parse(payload), { ...options(name), ...(delayMs > 0 ? { delay: delayMs } : {}) });
    },
    ensure,
    async armHangUp(session, delayMs) {
      const queue = queues['hang-up'];
      const jobId = `armed-${session.sessionId}`;
      const delay = Math.max(0, Math.ceil(delayMs));
      const armed = await queue.getJob(jobId);
      if (armed === undefined) {
        await queue.add('hang-up-session', session, { ...options('hang-up-session'), jobId, delay });
        return;
      }
      const moved = await armed.changeDelay(delay).then(() => true, () => false);
      // Running at this moment it can't be moved, and may have read the rows before they changed: another looks again.
      if (!moved) await ensure('hang-up-session', session);
    },
    async close() {
      await Promise.all(Object.values(queues).map((queue) => queue.close()));
    },
  };
}
