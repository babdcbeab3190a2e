/** A token bucket: `burst` events at once, and then `perSecond`. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  /** @param nowMs monotonic milliseconds */
  constructor(limit: { readonly perSecond: number; readonly burst: number }, nowMs: number) {
    this.#perSecond = limit.perSecond;
    this.#burst = limit.burst;
    this.#tokens = limit.burst;
    this.#at = nowMs;
  }

  /** Counts one event; returns `false` if it is above the limit. */
  take(nowMs: number): boolean {
    const gained = ((nowMs - this.#at) / 1_000) * this.#perSecond;
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, gained));
    this.#at = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
