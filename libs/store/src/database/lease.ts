import { EVERY_TENANT, type Store } from './store.ts';

/* Platform-wide: leases belong to the deployment, not to a tenant. */

/** Takes a turn that one replica at a time is to have, at most every `everyMs`; `false` when another had it, or has it. */
export async function acquireLease(store: Store, name: string, everyMs: number): Promise<boolean> {
  const { rowCount } = await store.query(EVERY_TENANT, {
    name: 'acquire-lease',
    text: `INSERT INTO lease AS t (name, available_at) VALUES ($1, now() + make_interval(secs => $2))
           ON CONFLICT (name) DO UPDATE SET available_at = now() + make_interval(secs => $2) WHERE t.available_at <= now()`,
    values: [name, everyMs / 1000],
  });
  return rowCount === 1;
}

/** Gives a turn back whose work failed: whoever looks next may try at once, instead of waiting out the pause of a success. */
export async function releaseLease(store: Store, name: string): Promise<void> {
  await store.query(EVERY_TENANT, {
    name: 'release-lease',
    text: 'UPDATE lease SET available_at = now() WHERE name = $1',
    values: [name],
  });
}
