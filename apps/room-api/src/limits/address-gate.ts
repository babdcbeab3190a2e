import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { VerdictError } from '@partyline/domain/verdict';
import { DEPS, type ApiDeps } from '../deps.ts';

/** For how long a key that was good is taken for one that will be. */
const REMEMBERED_MS = 60_000;
/** Before what is past is looked for and forgotten. */
const MOST_KEPT = 10_000;

export const tooMany = (endsInS: number, use: { limit: number; used: number }): VerdictError =>
  new VerdictError('client', 'rate-limited', 'These are more requests than a minute may have.', {
    fix: `Wait ${endsInS} s; the headers RateLimit-Policy and RateLimit say how many there may be and are left.`,
    retryAfterMs: endsInS * 1000,
    use,
  });

/**
 * What a flood of wrong keys may cost: an address that is over its limit has one key looked up at a time by each replica, so that it cannot take the database from everybody else.
 * Keys that were good within the last minute are not held up by who else comes from there.
 */
@Injectable()
export class AddressGate {
  readonly #closed = new Map<
    string,
    { readonly until: number; readonly use: { limit: number; used: number }; looking: boolean }
  >();
  readonly #good = new Map<string, number>();

  constructor(@Inject(DEPS) private readonly deps: Pick<ApiDeps, 'clock'>) {}

  /** An address has had more than it may until its window ends. */
  close(address: string, endsInS: number, use: { limit: number; used: number }): void {
    if (this.#closed.size >= MOST_KEPT)
      for (const [each, { until }] of this.#closed) if (until <= this.#now()) this.#closed.delete(each);
    this.#closed.set(address, {
      until: this.#now() + endsInS * 1000,
      use,
      looking: this.#closed.get(address)?.looking ?? false,
    });
  }

  /** Looks a key up for an address. Throws `rate-limited` (429) instead when that address has had its share, and what `look` throws. */
  async pass<T>(address: string, authorization: string | undefined, look: () => Promise<T>): Promise<T> {
    const key = createHash('sha256')
      .update(authorization ?? '')
      .digest('base64');
    const closed = this.#closed.get(address);
    const held =
      closed !== undefined && closed.until > this.#now() && (this.#good.get(key) ?? 0) <= this.#now()
        ? closed
        : undefined;
    if (held?.looking) throw tooMany(Math.ceil((held.until - this.#now()) / 1000), held.use);
    if (held) held.looking = true;
    try {
      const who = await look();
      if (this.#good.size >= MOST_KEPT)
        for (const [each, until] of this.#good) if (until <= this.#now()) this.#good.delete(each);
      this.#good.set(key, this.#now() + REMEMBERED_MS);
      return who;
    } finally {
      if (held) held.looking = false;
    }
  }

  #now(): number {
    return this.deps.clock.now().getTime();
  }
}
