import { DelayedError, Worker, type ConnectionOptions } from 'bullmq';
import { jobBackoffMs, CATALOGUE, LANES, WORKER_LOCK, type JobName, type JobPayload, type Lane } from './catalogue.ts';

/** What a handler says when it is done: nothing, or that the job is to run again after so many milliseconds, for as often as it takes. */
export type RetryLater = { readonly retryAfterMs: number } | undefined;

export type Handlers = { readonly [N in JobName]: (payload: JobPayload<N>) => Promise<RetryLater | void> };

export interface Workers {
  /** Takes no more jobs and waits for those in hand, at most `withinMs`; what is not done by then another worker takes over. */
  drain(withinMs: number): Promise<void>;
}

/**
 * Starts a worker per lane. The type makes sure that every job has its one handler; a job that Redis holds and this version does not know
 * fails loudly, as often as it has attempts.
 * @param connection Redis for workers: it must retry for ever (`maxRetriesPerRequest: null`)
 * @param now milliseconds, the time that BullMQ's delays are on
 */
export function startWorkers({
  connection,
  prefix,
  handlers,
  concurrency,
  now,
  onFailed,
  onError,
}: {
  connection: ConnectionOptions;
  prefix: string;
  handlers: Handlers;
  concurrency: Record<Lane, number>;
  now: () => number;
  onFailed: (name: string, error: Error, tenantId: string | undefined) => void;
  onError: (error: Error) => void;
}): Workers {
  const workers = LANES.map((lane) => {
    const worker = new Worker(
      lane,
      async (job, token) => {
        const name = job.name as JobName;
        const entry = CATALOGUE[name];
        if (entry === undefined) throw new Error(`no job is called ${job.name}`);
        const handle = handlers[name] as (payload: unknown) => Promise<RetryLater | void>;
        const again = await handle(entry.schema.parse(job.data));
        if (!again) return;
        await job.moveToDelayed(now() + again.retryAfterMs, token);
        throw new DelayedError();
      },
      { connection, prefix, concurrency: concurrency[lane], settings: { backoffStrategy: jobBackoffMs }, ...WORKER_LOCK },
    );
    worker.on('failed', (job, error) =>
      onFailed(job?.name ?? lane, error, (job?.data as { tenantId?: string } | undefined)?.tenantId),
    );
    worker.on('error', onError);
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
