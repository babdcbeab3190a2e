import { DelayedError, Worker, type ConnectionOptions } from 'bullmq';
import { jobBackoffMs, CATALOGUE, LANES, WORKER_LOCK, type JobName, type JobPayload, type Lane } from './catalogue.ts';

/**
 * A handler's result: `undefined` when the job is done, or the milliseconds until it runs again.
 * This does not count as an attempt.
 */
export type RetryLater = { readonly retryAfterMs: number } | undefined;

export type Handlers = { readonly [N in JobName]: (payload: JobPayload<N>) => Promise<RetryLater | void> };

export interface Workers {
  /**
   * Stops taking jobs and waits at most `withinMs` for the running ones. Another worker takes over
   * unfinished jobs.
   */
  drain(withinMs: number): Promise<void>;
}

/**
 * The longest blocking read, in seconds. The connection's `socketTimeout` must be longer, and finds
 * a dead connection the sooner, the shorter this is.
 */
const MAX_BLOCK_SECONDS = 2;

class LaneWorker extends Worker {
  override get maximumBlockTimeout(): number {
    return MAX_BLOCK_SECONDS;
  }
}

/**
 * Starts one worker per lane. `Handlers` requires a handler for every job. A job name that this
 * version does not know fails, and is retried like any failed job.
 * @param connection Redis connection for workers; it must retry without limit
 *   (`maxRetriesPerRequest: null`)
 * @param now current time in milliseconds, on the clock of BullMQ's delays
 * @param watch receives each connection without blocking reads, to check it while it is idle
 */
export function startWorkers({
  connection,
  prefix,
  handlers,
  concurrency,
  now,
  onFailed,
  onError,
  watch = () => undefined,
}: {
  connection: ConnectionOptions;
  prefix: string;
  handlers: Handlers;
  concurrency: Record<Lane, number>;
  now: () => number;
  onFailed: (name: string, error: Error, tenantId: string | undefined) => void;
  onError: (error: Error) => void;
  watch?: (client: object) => void;
}): Workers {
  const workers = LANES.map((lane) => {
    const worker = new LaneWorker(
      lane,
      async (job, token) => {
        const name = job.name as JobName;
        const entry = CATALOGUE[name];
        if (entry === undefined) throw new Error(`Unknown job name: ${job.name}.`);
        const handle = handlers[name] as (payload: unknown) => Promise<RetryLater | void>;
        const retry = await handle(entry.schema.parse(job.data));
        if (!retry) return;
        await job.moveToDelayed(now() + retry.retryAfterMs, token);
        throw new DelayedError();
      },
      {
        connection,
        prefix,
        concurrency: concurrency[lane],
        settings: { backoffStrategy: jobBackoffMs },
        drainDelay: MAX_BLOCK_SECONDS,
        ...WORKER_LOCK,
      },
    );
    worker.on('failed', (job, error) =>
      onFailed(job?.name ?? lane, error, (job?.data as { tenantId?: string } | undefined)?.tenantId),
    );
    worker.on('error', onError);
    worker.getBackend().client.then(watch, onError);
    return worker;
  });
  return {
    async drain(withinMs) {
      const done = Promise.all(workers.map((worker) => worker.close()));
      await Promise.race([
        done,
        new Promise((resolve) => AbortSignal.timeout(withinMs).addEventListener('abort', resolve)),
      ]);
    },
  };
}
