import type { Clock, RandomInt } from '@partyline/domain/clock';

interface Timer {
  /** Throws when the last run began or ended longer ago than this: it hangs. */
  assertRunning(withinMs: number): void;
  /** No further run; waits for the one in hand. */
  stop(): Promise<void>;
}

/** Runs something again and again, in this process and not by a queue (which a Redis flush stops for good): one run at a time, each `everyMs` after the last, give or take a tenth, so that replicas do not march in step. */
export function startTimer({
  everyMs,
  clock,
  random,
  run,
  onError,
}: {
  everyMs: number;
  clock: Clock;
  random: RandomInt;
  run: () => Promise<void>;
  onError: (error: unknown) => void;
}): Timer {
  let stopped = false;
  let lastSign = clock.now();
  let current: Promise<void> = Promise.resolve();
  let next: NodeJS.Timeout;
  const schedule = (): void => {
    next = setTimeout(
      () => {
        lastSign = clock.now();
        current = run()
          .catch(onError)
          .then(() => {
            lastSign = clock.now();
            if (!stopped) schedule();
          });
      },
      everyMs * 0.9 + random(Math.ceil(everyMs * 0.2)),
    );
  };
  schedule();
  return {
    assertRunning(withinMs) {
      const age = clock.now().getTime() - lastSign.getTime();
      if (age > withinMs) throw new Error(`the timer has made no progress for ${age} ms`);
    },
    async stop() {
      stopped = true;
      clearTimeout(next);
      await current;
    },
  };
}
