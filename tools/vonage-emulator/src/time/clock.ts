/**
 * The only module that reads real time. All other code uses a Clock, so that a test can advance
 * five minutes or six hours at once (contract, emulator checklist: virtual clock).
 */
export type Cancel = () => void;

export interface Clock {
  readonly mode: 'real' | 'virtual';
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `task` once, `ms` from now. */
  after(ms: number, task: () => void): Cancel;
  /** Resolves after `ms`, or as soon as the signal aborts. Never rejects. */
  delay(ms: number, signal?: AbortSignal): Promise<void>;
  countTimers(): number;
  clearTimers(): void;
  /**
   * Virtual clock only: advances time, runs due timers in order, and awaits `settle` after each.
   */
  advance(ms: number, settle: () => Promise<void>): Promise<void>;
}

/** Wall time in ms, for token expiry and request durations. */
export const wallNow = (): number => Date.now();

/** A wall-clock timer, for sockets and long polls only. */
export function startWallTimer(ms: number, task: () => void): Cancel {
  const timer = setTimeout(task, ms);
  return () => clearTimeout(timer);
}

/** Resolves after all tasks that are already runnable. */
export const yieldToEventLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function delayOn(clock: Pick<Clock, 'after'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const finish = (): void => {
      cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = clock.after(ms, finish);
    signal?.addEventListener('abort', finish);
  });
}

/** Creates a clock that follows wall time. */
export function createRealClock(): Clock {
  const timers = new Set<NodeJS.Timeout>();
  const clock: Clock = {
    mode: 'real',
    now: wallNow,
    after(ms, task) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        task();
      }, ms);
      timers.add(timer);
      return () => {
        clearTimeout(timer);
        timers.delete(timer);
      };
    },
    delay: (ms, signal) => delayOn(clock, ms, signal),
    countTimers: () => timers.size,
    clearTimers() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
    },
    advance: () =>
      Promise.reject(new Error('The clock is real. Start the emulator with clock "virtual" to advance it.')),
  };
  return clock;
}

/** Creates a clock that stands still until it is advanced. `startAt` is in ms since 1970. */
export function createVirtualClock(startAt: number): Clock {
  let now = startAt;
  let order = 0;
  const timers = new Map<number, { due: number; order: number; task: () => void }>();
  const findNextTimer = (): { id: number; due: number; task: () => void } | undefined => {
    let best: { id: number; due: number; order: number; task: () => void } | undefined;
    for (const [id, timer] of timers) {
      if (best === undefined || timer.due < best.due || (timer.due === best.due && timer.order < best.order))
        best = { id, ...timer };
    }
    return best;
  };
  const clock: Clock = {
    mode: 'virtual',
    now: () => now,
    after(ms, task) {
      const id = (order += 1);
      timers.set(id, { due: now + ms, order: id, task });
      return () => void timers.delete(id);
    },
    delay: (ms, signal) => delayOn(clock, ms, signal),
    countTimers: () => timers.size,
    clearTimers: () => timers.clear(),
    async advance(ms, settle) {
      const target = now + ms;
      await settle();
      for (let due = findNextTimer(); due !== undefined && due.due <= target; due = findNextTimer()) {
        timers.delete(due.id);
        now = Math.max(now, due.due);
        due.task();
        await settle();
      }
      now = target;
      await settle();
    },
  };
  return clock;
}
