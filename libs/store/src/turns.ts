import { EVERY_TENANT, type Store } from './store.ts';

/* Platform-wide: lines and turns of whole deployments, nobody’s rows. */

/**
 * When the next request of a lane may leave for a vendor, in milliseconds from now; `null` when that is later than `withinMs`, and then
 * no place was taken. One line for all processes, on the database's clock; it needs no Redis.
 * @param everyMs from one request to the next
 */
export async function takePlace(store: Store, account: string, lane: string, { everyMs, withinMs }: { everyMs: number; withinMs: number }): Promise<number | null> {
  const { rows } = await store.query<{ wait_ms: number }>(EVERY_TENANT, {
    name: 'take-place',
    text: `INSERT INTO provider_pace AS p (account, lane, free_at) VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
           ON CONFLICT (account, lane) DO UPDATE SET free_at = greatest(p.free_at, clock_timestamp()) + make_interval(secs => $3)
           WHERE p.free_at <= clock_timestamp() + make_interval(secs => $4)
           RETURNING greatest(0, extract(epoch FROM free_at - clock_timestamp() - make_interval(secs => $3)) * 1000)::float8 AS wait_ms`,
    values: [account, lane, everyMs / 1000, withinMs / 1000],
  });
  return rows[0]?.wait_ms ?? null;
}

/** Takes a turn that one replica at a time is to have, at most every `everyMs`; `false` when another had it, or has it. */
export async function takeTurn(store: Store, name: string, everyMs: number): Promise<boolean> {
  const { rowCount } = await store.query(EVERY_TENANT, {
    name: 'take-turn',
    text: `INSERT INTO turn AS t (name, free_at) VALUES ($1, now() + make_interval(secs => $2))
           ON CONFLICT (name) DO UPDATE SET free_at = now() + make_interval(secs => $2) WHERE t.free_at <= now()`,
    values: [name, everyMs / 1000],
  });
  return rowCount === 1;
}

/** Gives a turn back whose work failed: whoever looks next may try at once, instead of waiting out the pause of a success. */
export async function giveBackTurn(store: Store, name: string): Promise<void> {
  await store.query(EVERY_TENANT, { name: 'give-back-turn', text: 'UPDATE turn SET free_at = now() WHERE name = $1', values: [name] });
}
