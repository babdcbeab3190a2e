/** A clock that changes only by `advance` and `set`. Implements the domain's `Clock`. */
export class FakeClock {
  #now: number;

  constructor(start: Date | string = '2026-01-01T00:00:00.000Z') {
    this.#now = new Date(start).getTime();
    if (Number.isNaN(this.#now))
      throw new Error(`FakeClock cannot start at ${String(start)}. Pass a Date or an ISO time.`);
  }

  /** Returns the time as a new Date; changing it does not change the clock. */
  now(): Date {
    return new Date(this.#now);
  }

  /** Moves the clock forward. */
  advance(by: { ms?: number; seconds?: number; minutes?: number; hours?: number }): Date {
    const ms = (by.ms ?? 0) + 1_000 * ((by.seconds ?? 0) + 60 * ((by.minutes ?? 0) + 60 * (by.hours ?? 0)));
    if (ms < 0) throw new Error('advance() cannot move the clock back. Use set() instead.');
    this.#now += ms;
    return this.now();
  }

  /** Sets the clock to any time, earlier ones included. */
  set(time: Date): void {
    this.#now = time.getTime();
  }
}
