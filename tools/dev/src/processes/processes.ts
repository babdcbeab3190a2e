import { startChild, type Child, type ChildOptions } from './child.ts';
import { waitUntilReady, type Readiness } from './readiness.ts';

export type Log = (line: string) => void;

/** Something that was started and must be stopped. */
export interface Stoppable {
  readonly name: string;
  stop(): Promise<void>;
}

/** A list of running processes and services, which are stopped in reverse order. */
export interface Processes {
  /**
   * Starts a child and waits until it is ready. If it later ends without a request, the log says
   * so.
   */
  start(options: ChildOptions & { readiness: Readiness; readyWithinMs?: number }): Promise<Child>;
  /** Adds something started elsewhere (Postgres, Redis). */
  add: <T extends Stoppable>(stoppable: T) => T;
  /** Returns the child with a name, as last started. */
  child(name: string): Child | undefined;
  /** Stops everything in reverse order. A second call returns the same promise. */
  stopAll(): Promise<void>;
}

/** Creates an empty list. */
export function createProcesses(log: Log): Processes {
  const stoppables: Stoppable[] = [];
  const children = new Map<string, Child>();
  let stopping: Promise<void> | undefined;

  async function stopInReverse(): Promise<void> {
    const failures: unknown[] = [];
    for (let last = stoppables.pop(); last; last = stoppables.pop()) {
      try {
        await last.stop();
      } catch (error) {
        // Continue, so that one failure does not leave the others running.
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'Some processes did not stop cleanly.');
  }

  return {
    async start({ readiness, readyWithinMs, ...options }) {
      if (stopping) throw new Error(`Cannot start ${options.name}: the stack is being stopped.`);
      const child = startChild(options);
      stoppables.push(child);
      children.set(child.name, child);
      await waitUntilReady(child, readiness, readyWithinMs);
      void child.ended.then(({ code, signal }) => {
        if (!stopping) log(`${child.name} ended (${signal ?? `exit code ${code}`})`);
      });
      return child;
    },
    add(stoppable) {
      // If the start of another service has failed, everything is already being stopped: stop this
      // one too.
      if (stopping)
        void stoppable.stop().catch((error: unknown) => log(`${stoppable.name} did not stop: ${String(error)}`));
      else stoppables.push(stoppable);
      return stoppable;
    },
    child: (name) => children.get(name),
    stopAll() {
      stopping ??= stopInReverse();
      return stopping;
    },
  };
}

/**
 * Waits for Ctrl-C, SIGTERM or SIGHUP. A second Ctrl-C ends this process at once; the orphan guard
 * then ends the children.
 */
export function waitForInterrupt(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    // A pending promise does not keep Node running.
    const keepAlive = setInterval(() => undefined, 1 << 30);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        clearInterval(keepAlive);
        resolve(signal);
      });
    }
  });
}
