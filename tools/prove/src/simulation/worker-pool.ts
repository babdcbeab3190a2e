import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { runSimulation, type RunOptions, type RunResult } from './run.ts';
import { findPlantedBug } from './planted-bugs.ts';

/** A run as it is sent to a worker: a planted bug goes by its name, since functions do not travel. */
type RunOrder = Omit<RunOptions, 'mutation'> & { readonly planted?: string };

type WorkerReply = { readonly result: RunResult } | { readonly error: string; readonly seed: number };

interface PoolOptions {
  readonly width?: number;
  /** While this goes on, the workers give way to whoever else wants the machine: what runs beside must not be starved. */
  readonly priorityTask?: Promise<unknown>;
}

/** The most there is: beside it, whoever wakes up has a core at once. */
const LOWEST_PRIORITY = 19;
const WORKER_FILE = fileURLToPath(import.meta.url);

/**
 * Runs orders on all cores, one seed each; tells of each result as it comes. `next` gives the orders one by one, `null` for no more.
 * Rejects when a run breaks (a bug of the simulation itself).
 */
export async function runInWorkers(
  next: () => RunOrder | null,
  onResult: (result: RunResult, order: RunOrder) => void,
  { width = Math.min(2, availableParallelism()), priorityTask: beside }: PoolOptions = {},
): Promise<void> {
  let over = false;
  let alone = beside !== undefined;
  const crew = (size: number, niceness: number, goesOn: () => boolean): Promise<unknown> =>
    Promise.all(
      Array.from({ length: size }, () =>
        runWorker(niceness, () => (over || !goesOn() ? null : next()), onResult).catch((error: unknown) => {
          over = true;
          throw error;
        }),
      ),
    );
  const first = beside === undefined ? Promise.resolve() : crew(width, LOWEST_PRIORITY, () => alone);
  const rest = beside?.catch(() => undefined).then(() => (alone = false));
  // Whichever comes first: the other thing is over, or there is no more to do.
  await Promise.race([first, rest]);
  if (alone) return;
  await Promise.all([first, crew(width, 0, () => true)]);
}

/** One worker process from its first order to its last. */
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
      execArgv: ['--conditions=@partyline/source', '--max-semi-space-size=32'],
    });
    if (niceness > 0) setPriority(child.pid!, niceness);
    let settled = false;
    const end = (error?: Error): void => {
      if (settled) return;
      settled = true;
      child.kill('SIGKILL');
      if (error === undefined) resolve();
      else reject(error);
    };
    child.on('message', (told: WorkerReply) => {
      if ('error' in told) {
        end(new Error(`seed ${told.seed}: ${told.error}`));
        return;
      }
      onResult(told.result, order!);
      order = next();
      if (order === null) end();
      else child.send(order);
    });
    child.once('error', end);
    child.once('exit', (code, signal) =>
      end(new Error(`a worker ended by itself (${signal ?? code}) on seed ${order?.seed}`)),
    );
    child.send(order);
  });
}

const executeOrder = ({ planted, ...options }: RunOrder): Promise<RunResult> =>
  runSimulation({ ...options, ...(planted === undefined ? {} : { mutation: findPlantedBug(planted) }) });

if (import.meta.main && process.send !== undefined) {
  const tell = (told: WorkerReply): void => void process.send!(told);
  process.on('message', (order: RunOrder) => {
    executeOrder(order).then(
      (result) => tell({ result }),
      (error: unknown) =>
        tell({
          error: error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error),
          seed: order.seed,
        }),
    );
  });
  // Whoever gave the orders is gone.
  process.once('disconnect', () => process.exit());
}
