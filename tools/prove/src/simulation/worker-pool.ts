import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { runSimulation, type RunOptions, type RunResult } from './run.ts';
import { mutationNamed } from './planted-bugs.ts';

/** A run as it is sent to a worker: a planted bug goes by its name, since functions do not travel. */
type Order = Omit<RunOptions, 'mutation'> & { readonly planted?: string };

type Told = { readonly result: RunResult } | { readonly error: string; readonly seed: number };

interface PoolOptions {
  readonly width?: number;
  /** While this goes on, the workers give way to whoever else wants the machine: what runs beside must not be starved. */
  readonly beside?: Promise<unknown>;
}

/** The most there is: beside it, whoever wakes up has a core at once. */
const GIVES_WAY = 19;
const FILE = fileURLToPath(import.meta.url);

/**
 * Runs orders on all cores, one seed each; tells of each result as it comes. `next` gives the orders one by one, `null` for no more.
 * Rejects when a run breaks (a bug of the simulation itself).
 */
export async function runAll(
  next: () => Order | null,
  onResult: (result: RunResult, order: Order) => void,
  { width = Math.min(2, availableParallelism()), beside }: PoolOptions = {},
): Promise<void> {
  let over = false;
  let alone = beside !== undefined;
  const crew = (size: number, niceness: number, goesOn: () => boolean): Promise<unknown> =>
    Promise.all(
      Array.from({ length: size }, () =>
        work(niceness, () => (over || !goesOn() ? null : next()), onResult).catch((error: unknown) => {
          over = true;
          throw error;
        }),
      ),
    );
  const first = beside === undefined ? Promise.resolve() : crew(width, GIVES_WAY, () => alone);
  const rest = beside?.catch(() => undefined).then(() => (alone = false));
  // Whichever comes first: the other thing is over, or there is no more to do.
  await Promise.race([first, rest]);
  if (alone) return;
  await Promise.all([first, crew(width, 0, () => true)]);
}

/** One worker process from its first order to its last. */
function work(
  niceness: number,
  next: () => Order | null,
  onResult: (result: RunResult, order: Order) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let order = next();
    if (order === null) {
      resolve();
      return;
    }
    const child: ChildProcess = fork(FILE, ['work'], {
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
    child.on('message', (told: Told) => {
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

const carryOut = ({ planted, ...options }: Order): Promise<RunResult> =>
  runSimulation({ ...options, ...(planted === undefined ? {} : { mutation: mutationNamed(planted) }) });

if (import.meta.main && process.send !== undefined) {
  const tell = (told: Told): void => void process.send!(told);
  process.on('message', (order: Order) => {
    carryOut(order).then(
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
