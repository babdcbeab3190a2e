/** Announces state changes, so that a long poll waits for a condition without polling it. */
import { yieldToEventLoop, startWallTimer } from './clock.ts';

export interface ChangeNotifier {
  /** Reports a state change: every waiting condition is evaluated again. */
  notify(): void;
  /**
   * Resolves with the condition's first defined value, or undefined after `timeoutMs` of wall time.
   */
  waitFor<T>(condition: () => T | undefined, timeoutMs: number): Promise<T | undefined>;
  /** Counts a network request as in flight until it settles, for `waitUntilIdle`. */
  track<T>(work: Promise<T>): Promise<T>;
  /** Resolves when no request is in flight and no task is runnable. */
  waitUntilIdle(): Promise<void>;
}

/** Creates a notifier without watchers. */
export function createChangeNotifier(): ChangeNotifier {
  const watchers = new Set<() => void>();
  let inFlight = 0;
  let isCheckScheduled = false;
  const notifier: ChangeNotifier = {
    notify() {
      // One check per event-loop turn for all changes: a condition may read the whole ledger.
      if (isCheckScheduled || watchers.size === 0) return;
      isCheckScheduled = true;
      void yieldToEventLoop().then(() => {
        isCheckScheduled = false;
        for (const watcher of watchers) watcher();
      });
    },
    waitFor(condition, timeoutMs) {
      return new Promise((resolve) => {
        const first = condition();
        if (first !== undefined) return resolve(first);
        const finish = (value: ReturnType<typeof condition>): void => {
          cancel();
          watchers.delete(check);
          resolve(value);
        };
        const check = (): void => {
          const value = condition();
          if (value !== undefined) finish(value);
        };
        const cancel = startWallTimer(timeoutMs, () => finish(undefined));
        watchers.add(check);
      });
    },
    async track(work) {
      inFlight += 1;
      try {
        return await work;
      } finally {
        inFlight -= 1;
        notifier.notify();
      }
    },
    async waitUntilIdle() {
      // Two quiet turns: a reply may start the next request on the following turn.
      for (let quiet = 0; quiet < 2;) {
        await yieldToEventLoop();
        if (inFlight === 0) quiet += 1;
        else {
          quiet = 0;
          await notifier.waitFor(() => (inFlight === 0 ? true : undefined), 60_000);
        }
      }
    },
  };
  return notifier;
}
