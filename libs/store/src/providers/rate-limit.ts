import { EVERY_TENANT, type Store } from '../database/store.ts';

/* Platform-wide: lines and turns of whole deployments, nobody’s rows. */

/** How a lane is shared out, in milliseconds. */
export interface Pace {
  /** From one request to the next. */
  readonly everyMs: number;
  /** How far off a place may be. */
  readonly withinMs: number;
  /** How far off the last place of the same share may be: what keeps one that wants many from holding up the others. */
  readonly shareMs?: number;
  /** Do those who get no place come again when they are told? Then they are told to come one by one, at most 15 s from now. */
  readonly again?: boolean;
}

/** A place, so many milliseconds from now; or none, and when to come again. */
export type Place = { readonly waitMs: number } | { readonly againMs: number };

/**
 * Takes the next place of a lane, when that is not too far off for the pace. One line for all processes, on the database's clock; it needs no Redis.
 * @param share whose it is, of those who share the lane
 */
export async function takePlace(
  store: Store,
  account: string,
  lane: string,
  { everyMs, withinMs, shareMs = withinMs, again = false }: Pace,
  share = 'partyline',
): Promise<Place> {
  const { rows } = await store.query<{ wait_ms: number | null; retry_after_ms: number | null }>(EVERY_TENANT, {
    name: 'reserve-slot',
    text: 'SELECT wait_ms, retry_after_ms FROM reserve_slot($1, $2, $3, make_interval(secs => $4), make_interval(secs => $5), make_interval(secs => $6), $7)',
    values: [account, lane, share, everyMs / 1000, shareMs / 1000, withinMs / 1000, again],
  });
  const { wait_ms: waitMs, retry_after_ms: againMs } = rows[0]!;
  return waitMs === null ? { againMs: againMs! } : { waitMs };
}
