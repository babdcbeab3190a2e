import { EVERY_TENANT, type Store } from './store.ts';

/* Platform-wide: leases belong to the deployment, not to a tenant. */

/** Acquires a named lease for `durationMs`. Returns `false` when it is not available yet. */
export async function acquireLease(store: Store, name: string, durationMs: number): Promise<boolean> {
  const { rowCount } = await store.query(EVERY_TENANT, {
    name: 'acquire-lease',
    text: `INSERT INTO lease AS t (name, available_at)
           VALUES ($1, now() + make_interval(secs => $2))
           ON CONFLICT (name) DO UPDATE SET available_at = now() + make_interval(secs => $2)
           WHERE t.available_at <= now()`,
    values: [name, durationMs / 1000],
  });
  return rowCount === 1;
}

/** Releases a lease whose work failed, so that any process may retry at once. */
export async function releaseLease(store: Store, name: string): Promise<void> {
  await store.query(EVERY_TENANT, {
    name: 'release-lease',
    text: 'UPDATE lease SET available_at = now() WHERE name = $1',
    values: [name],
  });
}
