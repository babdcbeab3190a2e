import { availableParallelism } from 'node:os';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { runSimulation, type RunOptions, type RunResult } from './run.ts';
import { mutationNamed } from './planted.ts';

/** A run as it is sent to a thread: a planted bug goes by its name, since functions do not travel. */
export type Order = Omit<RunOptions, 'mutation'> & { readonly planted?: string };

type Told = { readonly result: RunResult } | { readonly error: string; readonly seed: number };

const carryOut = ({ planted, ...options }: Order): Promise<RunResult> => runSimulation({ ...options, ...(planted === undefined ? {} : { mutation: mutationNamed(planted) }) });

if (!isMainThread && parentPort !== null) {
  const port = parentPort;
  port.on('message', (order: Order) => {
    carryOut(order).then(
      (result) => port.postMessage({ result } satisfies Told),
      (error: unknown) => port.postMessage({ error: error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error), seed: order.seed } satisfies Told),
    );
  });
}

/**
 * Runs orders on all cores, one seed each; tells of each result as it comes. `next` gives the orders one by one, `null` for no more.
 * Rejects when a run breaks (a bug of the simulation itself).
 */
export function runAll(next: () => Order | null, onResult: (result: RunResult, order: Order) => void, width: number = Math.min(2, availableParallelism())): Promise<void> {
  return new Promise((resolve, reject) => {
    const workers = new Set<Worker>();
    let failed = false;
    const fail = (error: Error): void => {
      if (failed) return;
      failed = true;
      for (const worker of workers) void worker.terminate();
      reject(error);
    };
    for (let i = 0; i < width; i++) {
      const worker = new Worker(new URL(import.meta.url), { execArgv: ['--conditions=@partyline/source'], resourceLimits: { maxYoungGenerationSizeMb: 96 } });
      workers.add(worker);
      let order: Order | null = null;
      const hand = (): void => {
        order = failed ? null : next();
        if (order !== null) {
          // eslint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
          worker.postMessage(order);
          return;
        }
        workers.delete(worker);
        void worker.terminate();
        if (workers.size === 0) resolve();
      };
      worker.on('message', (told: Told) => {
        if ('error' in told) {
          fail(new Error(`seed ${told.seed}: ${told.error}`));
          return;
        }
        onResult(told.result, order!);
        hand();
      });
      worker.on('error', fail);
      hand();
    }
  });
}
