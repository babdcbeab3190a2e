import type { Clock, RandomInt } from '@partyline/domain/clock';

interface Timer {
  /** Throws when the last run started or ended more than `withinMs` ago: the run hangs. */
  assertRunning(withinMs: number): void;
  /** Starts no further run and waits for the current one. */
  stop(): Promise<void>;
}

interface Schedule {
  readonly everyMs: number;
  readonly run: () => Promise<void>;
}

interface TimerDeps {
  readonly clock: Clock;
  readonly random: RandomInt;
}

/**
 * Starts one timer per entry of the table. `onError` gets the name of the timer whose run failed.
 */
export function startTimers<Name extends string>(
  table: Readonly<Record<Name, Schedule>>,
  { onError, ...deps }: TimerDeps & { readonly onError: (name: string, error: unknown) => void },
): Readonly<Record<Name, Timer>> {
  return Object.fromEntries(
    Object.entries<Schedule>(table).map(([name, schedule]) => [
      name,
      startTimer({ ...schedule, ...deps, onError: (error) => onError(name, error) }),
    ]),
  ) as Record<Name, Timer>;
}

/**
 * Repeats `run` in this process, one run at a time, each `everyMs` after the last. A queue would
 * not do: a Redis flush stops its repeated jobs for good. The pause varies by up to a tenth, so
 * that replicas do not run in step.
 */
export function startTimer({
  everyMs,
  clock,
  random,
  run,
  onError,
}: Schedule & TimerDeps & { readonly onError: (error: unknown) => void }): Timer {
  let stopped = false;
  let lastProgress = clock.now();
  let current: Promise<void> = Promise.resolve();
  let next: NodeJS.Timeout;
  const schedule = (): void => {
    next = setTimeout(
      () => {
        lastProgress = clock.now();
        current = run()
          .catch(onError)
          .then(() => {
            lastProgress = clock.now();
            if (!stopped) schedule();
          });
      },
      everyMs * 0.9 + random(Math.ceil(everyMs * 0.2)),
    );
  };
  schedule();
  return {
    assertRunning(withinMs) {
      const age = clock.now().getTime() - lastProgress.getTime();
      if (age > withinMs) throw new Error(`The timer has made no progress for ${age} ms.`);
    },
    async stop() {
      stopped = true;
      clearTimeout(next);
      await current;
    },
  };
}
