import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { VerdictError } from '@partyline/domain/verdict';
import { DEPS, type ApiDeps } from '../deps.ts';

/** A key that was valid within this time skips the gate. */
const VALID_KEY_MS = 60_000;
/** At this size, expired entries are removed. */
const MAX_ENTRIES = 10_000;

export const rateLimited = (endsInS: number, use: { limit: number; used: number }): VerdictError =>
  new VerdictError('client', 'rate-limited', 'Too many requests in this minute.', {
    fix: `Wait ${endsInS} s. The headers RateLimit-Policy and RateLimit show the limit.`,
    retryAfterMs: endsInS * 1000,
    use,
  });

/**
 * Bounds what a flood of invalid keys costs. For a client network above its limit each replica
 * looks up one key at a time, so that the flood cannot exhaust the database. Keys that were valid
 * within the last minute are not delayed.
 */
@Injectable()
export class AddressGate {
  readonly #closed = new Map<
    string,
    { readonly until: number; readonly use: { limit: number; used: number }; isLookingUp: boolean }
  >();
  readonly #validUntil = new Map<string, number>();

  constructor(@Inject(DEPS) private readonly deps: Pick<ApiDeps, 'clock'>) {}

  /** Closes the gate for a network until its window ends. */
  close(network: string, endsInS: number, use: { limit: number; used: number }): void {
    if (this.#closed.size >= MAX_ENTRIES)
      for (const [each, { until }] of this.#closed) if (until <= this.#now()) this.#closed.delete(each);
    this.#closed.set(network, {
      until: this.#now() + endsInS * 1000,
      use,
      isLookingUp: this.#closed.get(network)?.isLookingUp ?? false,
    });
  }

  /**
   * Looks up a key for a network. Throws `rate-limited` (429) at a closed gate, and what `lookUp`
   * throws.
   */
  async lookUpKey<T>(network: string, authorization: string | undefined, lookUp: () => Promise<T>): Promise<T> {
    const key = createHash('sha256')
      .update(authorization ?? '')
      .digest('base64');
    const entry = this.#closed.get(network);
    const closed =
      entry !== undefined && entry.until > this.#now() && (this.#validUntil.get(key) ?? 0) <= this.#now()
        ? entry
        : undefined;
    if (closed?.isLookingUp) throw rateLimited(Math.ceil((closed.until - this.#now()) / 1000), closed.use);
    if (closed) closed.isLookingUp = true;
    try {
      const caller = await lookUp();
      if (this.#validUntil.size >= MAX_ENTRIES)
        for (const [each, until] of this.#validUntil) if (until <= this.#now()) this.#validUntil.delete(each);
      this.#validUntil.set(key, this.#now() + VALID_KEY_MS);
      return caller;
    } finally {
      if (closed) closed.isLookingUp = false;
    }
  }

  #now(): number {
    return this.deps.clock.now().getTime();
  }
}
