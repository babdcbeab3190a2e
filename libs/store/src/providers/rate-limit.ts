import { EVERY_TENANT, type Store } from '../database/store.ts';

/* Platform-wide: lines and turns of whole deployments, nobody’s rows. */

/** How a lane is shared out, in milliseconds. */
export interface RateLimit {
  /** From one request to the next. */
  readonly intervalMs: number;
  /** How far off a place may be. */
  readonly maxWaitMs: number;
  /** How far off the last place of the same share may be: what keeps one that wants many from holding up the others. */
  readonly maxShareWaitMs?: number;
  /** Do those who get no place come again when they are told? Then they are told to come one by one, at most 15 s from now. */
  readonly spreadRetries?: boolean;
}

/** A place, so many milliseconds from now; or none, and when to come again. */
export type Slot = { readonly waitMs: number } | { readonly retryAfterMs: number };

/**
 * Takes the next place of a lane, when that is not too far off for the pace. One line for all processes, on the database's clock; it needs no Redis.
 * @param share whose it is, of those who share the lane
 */
export async function reserveSlot(
  store: Store,
  account: string,
  lane: string,
  {
    intervalMs: everyMs,
    maxWaitMs: withinMs,
    maxShareWaitMs: shareMs = withinMs,
    spreadRetries: again = false,
  }: RateLimit,
  share = 'partyline',
): Promise<Slot> {
  const { rows } = await store.query<{ wait_ms: number | null; retry_after_ms: number | null }>(EVERY_TENANT, {
    name: 'reserve-slot',
    text: 'SELECT wait_ms, retry_after_ms FROM reserve_slot($1, $2, $3, make_interval(secs => $4), make_interval(secs => $5), make_interval(secs => $6), $7)',
    values: [account, lane, share, everyMs / 1000, shareMs / 1000, withinMs / 1000, again],
  });
  const { wait_ms: waitMs, retry_after_ms: againMs } = rows[0]!;
  return waitMs === null ? { retryAfterMs: againMs! } : { waitMs };
}
