import { FRAME_MS } from './codecs/voice-codec.ts';

/** A late wake-up makes up for at most so many frames. Older ones are skipped: nobody waits for them. */
const MAX_CATCH_UP_FRAMES = 5;

/** Time and timers, passed in as an argument. */
export interface Timers {
  /** Monotonic milliseconds, with fractions. */
  now(): number;
  /** Calls `callback` once after `ms`. Returns a function that cancels it. */
  setTimer(ms: number, callback: () => void): () => void;
}

/**
 * Is called once per frame.
 * @param frame counts 20 ms since the clock started, with skipped frames: where it jumps, time was lost
 */
export type FrameListener = (frame: number) => void;

/**
 * One 20 ms clock for all calls of a process. Frames are due at multiples of 20 ms after the start,
 * so the clock does not drift with late timers. It runs only while it has listeners.
 */
export class FrameClock {
  readonly #timers: Timers;
  readonly #onError: (error: unknown) => void;
  readonly #listeners = new Set<FrameListener>();
  #cancel: (() => void) | undefined;
  #startedAt = 0;
  #frame = 0;

  /** @param onError receives what a listener throws; the other listeners run all the same */
  constructor(timers: Timers, onError: (error: unknown) => void) {
    this.#timers = timers;
    this.#onError = onError;
  }

  /** Adds a listener; its first frame is the next that becomes due. Returns a function that removes it. */
  add(listener: FrameListener): () => void {
    // A function of its own, so that the same listener can be added twice.
    const entry: FrameListener = (frame) => listener(frame);
    this.#listeners.add(entry);
    if (!this.#cancel) {
      this.#startedAt = this.#timers.now() - this.#frame * FRAME_MS;
      this.#schedule();
    }
    return () => {
      this.#listeners.delete(entry);
      if (this.#listeners.size > 0) return;
      this.#cancel?.();
      this.#cancel = undefined;
    };
  }

  #schedule(): void {
    const dueIn = this.#startedAt + (this.#frame + 1) * FRAME_MS - this.#timers.now();
    this.#cancel = this.#timers.setTimer(Math.max(0, dueIn), () => this.#wake());
  }

  #wake(): void {
    const due = Math.floor((this.#timers.now() - this.#startedAt) / FRAME_MS);
    this.#frame = Math.max(this.#frame, due - MAX_CATCH_UP_FRAMES);
    while (this.#frame < due && this.#listeners.size > 0) this.#run(++this.#frame);
    if (this.#listeners.size === 0) return;
    // A listener may have removed the last one and added another, which has set a timer.
    this.#cancel?.();
    this.#schedule();
  }

  #run(frame: number): void {
    // A copy: listeners that are added by a listener wait for the next frame.
    for (const listener of Array.from(this.#listeners)) {
      if (!this.#listeners.has(listener)) continue;
      try {
        listener(frame);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
