import { EVERY_TENANT, type Store } from '../database/store.ts';

/* Platform-wide: rate limits belong to provider accounts. */

/** How a lane of a provider account is shared, in milliseconds. */
export interface RateLimit {
  /** Time from one request to the next. */
  readonly intervalMs: number;
  /** How far ahead a slot may be. */
  readonly maxWaitMs: number;
  /** How far ahead the last slot of one share may be, so that one share cannot delay the others. */
  readonly maxShareWaitMs?: number;
  /** Whether rejected requests get retry times one after another, at most 15 s ahead. */
  readonly spreadRetries?: boolean;
}

/** A slot in `waitMs`, or none and the time of the next attempt. */
export type Slot = { readonly waitMs: number } | { readonly retryAfterMs: number };

/**
 * Reserves the next slot of a lane, unless it is further ahead than the limit allows. All processes
 * share the slots, on the database clock, without Redis.
 * @param share the tenant among those that share the lane
 */
export async function reserveSlot(
  store: Store,
  account: string,
  lane: string,
  { intervalMs, maxWaitMs, maxShareWaitMs = maxWaitMs, spreadRetries = false }: RateLimit,
  share = 'partyline',
): Promise<Slot> {
  const { rows } = await store.query<{ wait_ms: number | null; retry_after_ms: number | null }>(EVERY_TENANT, {
    name: 'reserve-slot',
    text: `SELECT wait_ms, retry_after_ms
           FROM reserve_slot($1, $2, $3, make_interval(secs => $4), make_interval(secs => $5),
             make_interval(secs => $6), $7)`,
    values: [account, lane, share, intervalMs / 1000, maxShareWaitMs / 1000, maxWaitMs / 1000, spreadRetries],
  });
  const { wait_ms: waitMs, retry_after_ms: retryAfterMs } = rows[0]!;
  return waitMs === null ? { retryAfterMs: retryAfterMs! } : { waitMs };
}
