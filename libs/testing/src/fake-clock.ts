/** A clock that stands still until it is told to move. Satisfies the domain's `Clock`. */
export class FakeClock {
  #now: number;

  constructor(start: Date | string = '2026-01-01T00:00:00.000Z') {
    this.#now = new Date(start).getTime();
    if (Number.isNaN(this.#now))
      throw new Error(`FakeClock cannot start at ${String(start)}: give a Date or an ISO time.`);
  }

  /** The time, as a Date of the caller's own: changing it does not move the clock. */
  now(): Date {
    return new Date(this.#now);
  }

  /** Moves the clock forward. */
  advance(by: { ms?: number; seconds?: number; minutes?: number; hours?: number }): Date {
    const ms = (by.ms ?? 0) + 1_000 * ((by.seconds ?? 0) + 60 * ((by.minutes ?? 0) + 60 * (by.hours ?? 0)));
    if (ms < 0) throw new Error('A clock only advances; use set() to go back on purpose.');
    this.#now += ms;
    return this.now();
  }

  /** Puts the clock at a moment, earlier ones included. */
  set(moment: Date): void {
    this.#now = moment.getTime();
  }
}
