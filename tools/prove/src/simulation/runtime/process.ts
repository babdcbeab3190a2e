import type { Scheduler } from './scheduler.ts';

/** The answer of a seam call: a value or an error, after `ms` virtual milliseconds. */
export type Reply<T> = { readonly ms: number; readonly value: T } | { readonly ms: number; readonly error: unknown };

/** Called before and after every seam call takes effect. Kill points use it. */
type SeamHook = (call: {
  readonly process: SimProcess;
  readonly label: string;
  readonly number: number;
  readonly when: 'before' | 'after';
}) => void;

/**
 * A simulated process from its start to its crash. Everything it awaits passes through `seam`.
 * After a crash no answer arrives, so no continuation runs. A paused process gets its answers when
 * it resumes.
 */
export class Life {
  isAlive = true;
  /** Rolls back the open transaction, if there is one. */
  abort: (() => void) | undefined = undefined;
  readonly process: SimProcess;
  readonly #scheduler: Scheduler;
  #pending: (() => void)[] = [];

  constructor(process: SimProcess, scheduler: Scheduler) {
    this.process = process;
    this.#scheduler = scheduler;
  }

  get isRunning(): boolean {
    return this.isAlive && !this.process.isPaused;
  }

  /**
   * Runs `act` at once and delivers its answer later. A crash in between loses the answer of a
   * request that took effect.
   * @param checkLost called when the answer arrives; an error replaces the answer
   */
  seam<T>(label: string, act: () => Reply<T>, checkLost?: () => Error | null): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.isAlive) return;
      const { hook } = this.process;
      const number = (this.process.seamCalls += 1);
      if (hook !== undefined) {
        hook({ process: this.process, label, number, when: 'before' });
        if (!this.isAlive) return;
      }
      let reply: Reply<T>;
      try {
        reply = act();
      } catch (error) {
        reply = { ms: 1, error };
      }
      if (hook !== undefined) hook({ process: this.process, label, number, when: 'after' });
      const deliver = (): void => {
        if (!this.isAlive) return;
        if (this.process.isPaused) {
          this.#pending.push(deliver);
          return;
        }
        const error = 'error' in reply ? reply.error : (checkLost?.() ?? null);
        if (error === null) resolve((reply as { value: T }).value);
        else reject(error);
      };
      this.#scheduler.after(reply.ms, deliver);
    });
  }

  /** Runs a continuation now, when the pause ends, or never after a crash. */
  deliver(act: () => void): void {
    if (!this.isAlive) return;
    if (this.process.isPaused) this.#pending.push(act);
    else act();
  }

  /** Waits for `ms` virtual milliseconds. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#scheduler.after(ms, () => this.deliver(resolve));
    });
  }

  /** Delivers what arrived during the pause, in order, as one event each. */
  resume(): void {
    const pending = this.#pending;
    this.#pending = [];
    for (const act of pending) this.#scheduler.after(0, () => this.deliver(act));
  }
}

/** A named process that can be killed, started again, paused and resumed. */
export class SimProcess {
  readonly name: string;
  life: Life;
  isPaused = false;
  /** The number of seam calls in all lives of the process. */
  seamCalls = 0;
  hook: SeamHook | undefined = undefined;
  readonly #scheduler: Scheduler;
  readonly #onStart: (life: Life) => void;
  readonly #onCrash: (life: Life) => void;

  constructor(name: string, scheduler: Scheduler, on: { start: (life: Life) => void; crash: (life: Life) => void }) {
    this.name = name;
    this.#scheduler = scheduler;
    this.#onStart = on.start;
    this.#onCrash = on.crash;
    this.life = new Life(this, scheduler);
  }

  /** Starts its first life. */
  boot(): void {
    this.#onStart(this.life);
  }

  get isUp(): boolean {
    return this.life.isAlive;
  }

  /** SIGKILL. */
  kill(): void {
    if (!this.life.isAlive) return;
    this.life.isAlive = false;
    this.isPaused = false;
    this.#onCrash(this.life);
  }

  /** Starts a new life after a crash. */
  start(): void {
    if (this.life.isAlive) return;
    this.life = new Life(this, this.#scheduler);
    this.#onStart(this.life);
  }

  /** SIGSTOP. No answer arrives until it resumes. */
  pause(): void {
    if (this.life.isAlive) this.isPaused = true;
  }

  /** SIGCONT. */
  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.life.resume();
  }
}
