import { setFlagsFromString } from 'node:v8';

/** Something that is to happen at an instant of virtual time. */
export interface ScheduledEvent {
  readonly at: number;
  readonly order: number;
  act: (() => void) | null;
}

/** Virtual time begins here; what it is does not matter, only that it never changes. */
const EPOCH = Date.UTC(2026, 0, 1);

/**
 * Runs every microtask that is waiting, then returns. V8's own checkpoint makes the whole simulation one synchronous loop; where it is not
 * to be had, `null`, and the loop yields to the event loop after each event, which drains them too, ten times slower, in the same order.
 */
function createMicrotaskDrain(): (() => void) | null {
  try {
    setFlagsFromString('--allow-natives-syntax');
    // eslint-disable-next-line typescript/no-implied-eval -- the syntax exists only behind the flag that was set a line ago
    const drain = new Function('%PerformMicrotaskCheckpoint()') as () => void;
    setFlagsFromString('--no-allow-natives-syntax');
    return drain;
  } catch {
    return null;
  }
}
const nativeDrain = createMicrotaskDrain();

/** Virtual time: a heap of events, one at a time, each followed by all the microtasks it set free. Same seed, same order, same hash. */
export class Scheduler {
  now = EPOCH;
  /** Events executed. */
  count = 0;
  /** Of everything that happened, in order. */
  hash = 0x811c9dc5;
  /** Called with an error that nobody caught: a bug of the simulation or of what it runs. */
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

  /** Folds a fact into the trace. */
  note(text: string): void {
    let hash = this.hash;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    this.hash = hash;
  }

  /** Executes what is due until `until`, or until `stop` says so (asked after each event). */
  run(until: number, stop?: () => boolean): Promise<void> {
    // From a macrotask: a checkpoint asked for inside a microtask does nothing.
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        try {
          if (!this.#yielding) {
            let going = this.#step(until);
            while (going) {
              nativeDrain!();
              going = stop?.() !== true && this.#step(until);
            }
            this.#finish(until, stop);
            resolve();
            return;
          }
          const turn = (): void => {
            try {
              if (stop?.() || !this.#step(until)) {
                this.#finish(until, stop);
                resolve();
              } else setImmediate(turn);
            } catch (error) {
              reject(error);
            }
          };
          turn();
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
