import { startChild, type Child, type ChildOptions } from './child.ts';
import { waitUntilReady, type Readiness } from './readiness.ts';

export type Log = (line: string) => void;

/** Anything that was started and must be stopped. */
export interface Stoppable {
  readonly name: string;
  stop(): Promise<void>;
}

/** A stack of running things, stopped in the reverse of the order they were started in. */
export interface Processes {
  /** Starts a child and waits until it is ready. A child that ends later on its own is reported to the log. */
  start(options: ChildOptions & { readiness: Readiness; readyWithinMs?: number }): Promise<Child>;
  /** Adds something started elsewhere (a Postgres, a Redis). */
  add: <T extends Stoppable>(thing: T) => T;
  /** The running child of that name. */
  child(name: string): Child | undefined;
  /** Stops everything, last started first; safe to call twice. */
  stopAll(): Promise<void>;
}

/** Makes an empty stack of processes. */
export function createProcesses(log: Log): Processes {
  const things: Stoppable[] = [];
  const children = new Map<string, Child>();
  let stopping: Promise<void> | undefined;

  async function stopInReverse(): Promise<void> {
    const failures: unknown[] = [];
    for (let thing = things.pop(); thing; thing = things.pop()) {
      try {
        await thing.stop();
      } catch (error) {
        // The rest must still be stopped: nothing may stay running because one thing refused.
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'Some processes did not stop cleanly.');
  }

  return {
    async start({ readiness, readyWithinMs, ...options }) {
      if (stopping) throw new Error(`Cannot start ${options.name}: the stack is being stopped.`);
      const child = startChild(options);
      things.push(child);
      children.set(child.name, child);
      await waitUntilReady(child, readiness, readyWithinMs);
      void child.ended.then(({ code, signal }) => {
        if (!stopping) log(`${child.name} ended (${signal ?? `exit code ${code}`})`);
      });
      return child;
    },
    add(thing) {
      // What comes up while its neighbour's failure is already stopping the rest must not be left over.
      if (stopping) void thing.stop().catch((error: unknown) => log(`${thing.name} did not stop: ${String(error)}`));
      else things.push(thing);
      return thing;
    },
    child: (name) => children.get(name),
    stopAll() {
      stopping ??= stopInReverse();
      return stopping;
    },
  };
}

/**
 * Waits for Ctrl-C or SIGTERM. A second Ctrl-C ends us at once; the children's watchers end them then.
 */
export function untilInterrupted(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    // A promise alone does not keep Node running.
    const alive = setInterval(() => undefined, 1 << 30);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        clearInterval(alive);
        resolve(signal);
      });
    }
  });
}
