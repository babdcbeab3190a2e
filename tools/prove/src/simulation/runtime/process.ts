import type { Scheduler } from './scheduler.ts';

/** What a seam answers: a value or an error, so many virtual milliseconds from now. */
export type Reply<T> = { readonly ms: number; readonly value: T } | { readonly ms: number; readonly error: unknown };

/** Asked at every seam call, before it acts and after: kill points and planted crashes hang on it. */
type SeamHook = (call: {
  readonly process: SimProcess;
  readonly label: string;
  readonly number: number;
  readonly when: 'before' | 'after';
}) => void;

/**
 * One life of a simulated process: from start to crash. Everything it awaits goes through `seam`; when it is killed, what it awaited never
 * comes, so its continuations never run. A paused one gets its answers when it is let go on.
 */
export class Life {
  isAlive = true;
  /** Ends the transaction that it holds, if it holds one. */
  abort: (() => void) | undefined = undefined;
  readonly process: SimProcess;
  readonly #scheduler: Scheduler;
  #held: (() => void)[] = [];

  constructor(process: SimProcess, scheduler: Scheduler) {
    this.process = process;
    this.#scheduler = scheduler;
  }

  get isRunning(): boolean {
    return this.isAlive && !this.process.isPaused;
  }

  /**
   * The call takes effect at once; its answer comes later. A crash in between is a request that was done and whose answer nobody saw.
   * @param lost asked when the answer comes: why it does not after all
   */
  seam<T>(label: string, act: () => Reply<T>, lost?: () => Error | null): Promise<T> {
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
      const come = (): void => {
        if (!this.isAlive) return;
        if (this.process.isPaused) {
          this.#held.push(come);
          return;
        }
        const error = 'error' in reply ? reply.error : (lost?.() ?? null);
        if (error === null) resolve((reply as { value: T }).value);
        else reject(error);
      };
      this.#scheduler.after(reply.ms, come);
    });
  }

  /** Runs a continuation now, at the end of the pause, or never. */
  deliver(act: () => void): void {
    if (!this.isAlive) return;
    if (this.process.isPaused) this.#held.push(act);
    else act();
  }

  /** A timer of this process. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#scheduler.after(ms, () => this.deliver(resolve));
    });
  }

  /** What was held back by a pause, one event each, in order. */
  resume(): void {
    const held = this.#held;
    this.#held = [];
    for (const act of held) this.#scheduler.after(0, () => this.deliver(act));
  }
}

/** A named process that can be killed, stopped, let go on and started again. */
export class SimProcess {
  readonly name: string;
  life: Life;
  isPaused = false;
  /** Seam calls made, over all its lives. */
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

  /** Begins its first life. */
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

  /** A new life after a crash. */
  start(): void {
    if (this.life.isAlive) return;
    this.life = new Life(this, this.#scheduler);
    this.#onStart(this.life);
  }

  /** SIGSTOP: nothing that it waits for reaches it. */
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
