import { EVERY_TENANT, type Store } from './store.ts';

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

/** Takes a turn that one replica at a time is to have, at most every `everyMs`; `false` when another had it, or has it. */
export async function takeTurn(store: Store, name: string, everyMs: number): Promise<boolean> {
  const { rowCount } = await store.query(EVERY_TENANT, {
    name: 'acquire-lease',
    text: `INSERT INTO lease AS t (name, available_at) VALUES ($1, now() + make_interval(secs => $2))
           ON CONFLICT (name) DO UPDATE SET available_at = now() + make_interval(secs => $2) WHERE t.available_at <= now()`,
    values: [name, everyMs / 1000],
  });
  return rowCount === 1;
}

/** Gives a turn back whose work failed: whoever looks next may try at once, instead of waiting out the pause of a success. */
export async function giveBackTurn(store: Store, name: string): Promise<void> {
  await store.query(EVERY_TENANT, {
    name: 'release-lease',
    text: 'UPDATE lease SET available_at = now() WHERE name = $1',
    values: [name],
  });
}
