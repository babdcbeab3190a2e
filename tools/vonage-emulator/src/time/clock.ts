/**
 * The one place that knows real time. Everything else asks this clock, so that five minutes, six hours and
 * 7200 seconds can pass in a test at once (contract, emulator checklist: virtual clock).
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
  /** Timers that still wait. */
  pending(): number;
  /** Drops every timer. */
  clear(): void;
  /** Virtual only: lets time pass; `settle` is awaited after each timer that fell due. */
  advance(ms: number, settle: () => Promise<void>): Promise<void>;
}

/** Wall time, for token expiry and for how long a request really took. */
export const wallNow = (): number => Date.now();

/** A wall-clock timer, for sockets and long polls only. */
export function wallAfter(ms: number, task: () => void): Cancel {
  const timer = setTimeout(task, ms);
  return () => clearTimeout(timer);
}

/** Lets everything that is already runnable run. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

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

/** Time as the machine has it. */
export function realClock(): Clock {
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
    pending: () => timers.size,
    clear() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
    },
    advance: () => Promise.reject(new Error('the clock is real: start with clock "virtual" to advance it')),
  };
  return clock;
}

/** Time that stands still until it is advanced. */
export function virtualClock(startAt: number): Clock {
  let now = startAt;
  let order = 0;
  const timers = new Map<number, { due: number; order: number; task: () => void }>();
  const next = (): { id: number; due: number; task: () => void } | undefined => {
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
    pending: () => timers.size,
    clear: () => timers.clear(),
    async advance(ms, settle) {
      const target = now + ms;
      await settle();
      for (let due = next(); due !== undefined && due.due <= target; due = next()) {
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
