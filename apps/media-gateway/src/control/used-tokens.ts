import type { Clock } from '@partyline/domain/clock';

/** The ids of the tokens that were used and have not expired. In memory: a token names one gateway's request. */
export class UsedTokens {
  readonly #clock: Clock;
  /** Expiry in milliseconds by id, in the order of use. */
  readonly #used = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Marks a token as used; returns `false` when it was used before. */
  use(jti: string, expiresAt: Date): boolean {
    const now = this.#clock.now().getTime();
    for (const [id, expiry] of this.#used) {
      if (expiry > now) break;
      this.#used.delete(id);
    }
    if (this.#used.has(jti)) return false;
    this.#used.set(jti, expiresAt.getTime());
    return true;
  }
}
