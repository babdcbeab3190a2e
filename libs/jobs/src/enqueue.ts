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
 *   unavailable. `commandTimeout` bounds the wait for its first connection too
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
  connection: ConnectionOptions & { readonly commandTimeout: number };
  prefix: string;
  now: () => number;
  onError: (error: Error) => void;
  watch?: (client: object) => void;
}): OpenJobs {
  let isClosing = false;
  const queues = Object.fromEntries(
    LANES.map((lane) => {
      const queue = new Queue(lane, {
        connection,
        prefix,
        defaultJobOptions: REMOVE_WHEN_FINISHED,
        // After a failure of that one request, every later one of the queue would fail too.
        skipVersionCheck: true,
      });
      queue.on('error', onError);
      queue.getBackend().client.then((client) => {
        // BullMQ removes its own handler before the connection is closed.
        client.on('error', (error: Error) => isClosing && onError(error));
        watch(client);
      }, onError);
      return [lane, queue];
    }),
  ) as Record<Lane, Queue>;

  /** Returns a lane's queue. BullMQ waits without limit for its first connection. */
  const connected = new Set<Lane>();
  async function connectedQueue(lane: Lane): Promise<Queue> {
    const queue = queues[lane];
    if (connected.has(lane)) return queue;
    await within(connection.commandTimeout, queue.waitUntilReady());
    connected.add(lane);
    return queue;
  }

  const options = (name: JobName) => ({ attempts: CATALOGUE[name].attempts, backoff: { type: BACKOFF_TYPE } }) as const;

  return {
    async enqueue(name, payload, delayMs = 0) {
      const data = CATALOGUE[name].schema.parse(payload);
      const queue = await connectedQueue(CATALOGUE[name].lane);
      await queue.add(name, data, {
        ...options(name),
        ...(delayMs > 0 ? { delay: delayMs } : {}),
      });
    },
    async armHangUp(session, delayMs) {
      const queue = await connectedQueue('hang-up');
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
      const queue = await connectedQueue('dial');
      const client = (await queue.getBackend().client) as unknown as { ping(): Promise<unknown> };
      await client.ping();
    },
    async close() {
      isClosing = true;
      await Promise.all(Object.values(queues).map((queue) => queue.close()));
    },
  };
}

/** Rejects when the work takes longer. */
function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return Promise.race([
    work,
    new Promise<never>((_, reject) =>
      AbortSignal.timeout(ms).addEventListener('abort', () => reject(new Error(`Redis did not answer for ${ms} ms.`))),
    ),
  ]);
}
