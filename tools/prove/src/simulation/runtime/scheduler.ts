import { setFlagsFromString } from 'node:v8';

/** An action at an instant of virtual time. */
export interface ScheduledEvent {
  readonly at: number;
  readonly order: number;
  act: (() => void) | null;
}

/** The start of virtual time. Any constant would do. */
const EPOCH = Date.UTC(2026, 0, 1);

/**
 * A function that runs all pending microtasks by V8's own checkpoint, so that the simulation is one
 * synchronous loop. Null where it is unavailable: the scheduler then yields to the event loop after
 * each event, which gives the same order, ten times slower.
 */
function createMicrotaskDrain(): (() => void) | null {
  try {
    setFlagsFromString('--allow-natives-syntax');
    // eslint-disable-next-line typescript/no-implied-eval -- the syntax needs the flag set above
    const drain = new Function('%PerformMicrotaskCheckpoint()') as () => void;
    setFlagsFromString('--no-allow-natives-syntax');
    return drain;
  } catch {
    return null;
  }
}
const nativeDrain = createMicrotaskDrain();

/**
 * Virtual time: a heap of events. Each event is followed by all the microtasks that it causes. The
 * same seed gives the same order and the same hash.
 */
export class Scheduler {
  now = EPOCH;
  /** The number of executed events. */
  count = 0;
  /** A hash of all events and notes, in order. */
  hash = 0x811c9dc5;
  /** An error of the simulation itself. The run rejects with it at the next event. */
  failure: unknown = undefined;
  readonly #heap: ScheduledEvent[] = [];
  #order = 0;
  readonly #yielding: boolean;

  constructor({ yielding = false }: { yielding?: boolean } = {}) {
    this.#yielding = yielding || nativeDrain === null;
  }

  after(ms: number, act: () => void): ScheduledEvent {
    return this.at(this.now + ms, act);
  }

  at(at: number, act: () => void): ScheduledEvent {
    const event: ScheduledEvent = { at: Math.max(this.now, Math.round(at)), order: (this.#order += 1), act };
    this.#push(event);
    return event;
  }

  cancel(event: ScheduledEvent | undefined): void {
    if (event !== undefined) event.act = null;
  }

  /** Adds a fact to the hash. */
  note(text: string): void {
    let hash = this.hash;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    this.hash = hash;
  }

  /**
   * Executes events until the instant `until`, or until `stop`, which is called after each event,
   * returns true.
   */
  run(until: number, stop?: () => boolean): Promise<void> {
    // In a macrotask, since a checkpoint inside a microtask has no effect.
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        try {
          if (!this.#yielding) {
            let hasMore = this.#step(until);
            while (hasMore) {
              nativeDrain!();
              hasMore = stop?.() !== true && this.#step(until);
            }
            this.#finish(until, stop);
            resolve();
            return;
          }
          const next = (): void => {
            try {
              if (stop?.() || !this.#step(until)) {
                this.#finish(until, stop);
                resolve();
              } else setImmediate(next);
            } catch (error) {
              reject(error);
            }
          };
          next();
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #finish(until: number, stop?: () => boolean): void {
    if (!stop?.()) this.now = Math.max(this.now, until);
  }

  #step(until: number): boolean {
    if (this.failure !== undefined) throw this.failure;
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.at > until) return false;
      this.#pop();
      const { act } = event;
      if (act === null) continue;
      event.act = null;
      this.now = event.at;
      this.count += 1;
      this.hash = Math.imul(this.hash ^ (event.at | 0), 0x01000193);
      act();
      return true;
    }
  }

  #push(event: ScheduledEvent): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const up = (i - 1) >> 1;
      const parent = heap[up]!;
      if (parent.at < event.at || (parent.at === event.at && parent.order < event.order)) break;
      heap[i] = parent;
      i = up;
    }
    heap[i] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    const size = heap.length;
    if (size === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= size) break;
      const right = heap[child + 1];
      const left = heap[child]!;
      if (
        child + 1 < size &&
        right !== undefined &&
        (right.at < left.at || (right.at === left.at && right.order < left.order))
      )
        child += 1;
      const down = heap[child]!;
      if (last.at < down.at || (last.at === down.at && last.order < down.order)) break;
      heap[i] = down;
      i = child;
    }
    heap[i] = last;
  }
}
