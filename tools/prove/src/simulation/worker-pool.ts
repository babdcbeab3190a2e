import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { cacheDateText } from './runtime/cache-date-text.ts';
import { findPlantedBug } from './planted-bugs.ts';
import { runSimulation, type RunOptions, type RunResult } from './run.ts';

/**
 * The options of a run as sent to a worker. A planted bug is sent by name, since functions cannot
 * be sent.
 */
type RunOrder = Omit<RunOptions, 'mutation'> & { readonly planted?: string };

type WorkerReply = { readonly result: RunResult } | { readonly error: string; readonly seed: number };

interface PoolOptions {
  readonly width?: number;
  /** While this task runs, the workers run at the lowest priority. */
  readonly priorityTask?: Promise<unknown>;
}

/** The highest niceness. */
const LOWEST_PRIORITY = 19;
const WORKER_FILE = fileURLToPath(import.meta.url);

/**
 * Runs orders in worker processes, at most two at a time.
 * @param next gives the next order, or null for no more
 * @throws if a run throws, which is a bug of the simulation itself
 */
export async function runInWorkers(
  next: () => RunOrder | null,
  onResult: (result: RunResult, order: RunOrder) => void,
  { width = Math.min(2, availableParallelism()), priorityTask }: PoolOptions = {},
): Promise<void> {
  let isOver = false;
  let yields = priorityTask !== undefined;
  const runWorkers = (niceness: number, canContinue: () => boolean): Promise<unknown> =>
    Promise.all(
      Array.from({ length: width }, () =>
        runWorker(niceness, () => (isOver || !canContinue() ? null : next()), onResult).catch((error: unknown) => {
          isOver = true;
          throw error;
        }),
      ),
    );
  const nice = priorityTask === undefined ? Promise.resolve() : runWorkers(LOWEST_PRIORITY, () => yields);
  const taskEnded = priorityTask?.catch(() => undefined).then(() => (yields = false));
  // Either the orders or the priority task end first.
  await Promise.race([nice, taskEnded]);
  if (yields) return;
  await Promise.all([nice, runWorkers(0, () => true)]);
}

/** One worker process, from its first order to its last. */
function runWorker(
  niceness: number,
  next: () => RunOrder | null,
  onResult: (result: RunResult, order: RunOrder) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let order = next();
    if (order === null) {
      resolve();
      return;
    }
    const child: ChildProcess = fork(WORKER_FILE, ['work'], {
      serialization: 'advanced',
      // One worker per core: helper threads of V8 would only take time from the other worker.
      execArgv: ['--conditions=@partyline/source', '--max-semi-space-size=128', '--single-threaded'],
    });
    if (niceness > 0) setPriority(child.pid!, niceness);
    let isSettled = false;
    const end = (error?: Error): void => {
      if (isSettled) return;
      isSettled = true;
      child.kill('SIGKILL');
      if (error === undefined) resolve();
      else reject(error);
    };
    child.on('message', (reply: WorkerReply) => {
      if ('error' in reply) {
        end(new Error(`seed ${reply.seed}: ${reply.error}`));
        return;
      }
      onResult(reply.result, order!);
      order = next();
      if (order === null) end();
      else child.send(order);
    });
    child.once('error', end);
    child.once('exit', (code, signal) =>
      end(new Error(`a worker exited (${signal ?? code}) while it ran seed ${order?.seed}`)),
    );
    child.send(order);
  });
}

const executeOrder = ({ planted, ...options }: RunOrder): Promise<RunResult> =>
  runSimulation({ ...options, ...(planted === undefined ? {} : { mutation: findPlantedBug(planted) }) });

if (import.meta.main && process.send !== undefined) {
  cacheDateText();
  const reply = (message: WorkerReply): void => void process.send!(message);
  process.on('message', (order: RunOrder) => {
    executeOrder(order).then(
      (result) => reply({ result }),
      (error: unknown) =>
        reply({
          error: error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error),
          seed: order.seed,
        }),
    );
  });
  // The parent process has ended.
  process.once('disconnect', () => process.exit());
}
