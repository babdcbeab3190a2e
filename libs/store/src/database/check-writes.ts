import { EVERY_TENANT, type Store } from './store.ts';

/* Platform-wide: the row belongs to the deployment, not to a tenant. */

/**
 * Returns a readiness check that writes one row: a read-only server answers every read. Concurrent
 * checks share one write.
 */
export function openWriteCheck(store: Pick<Store, 'query'>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () =>
    (running ??= write(store).finally(() => {
      running = undefined;
    }));
}

const write = async (store: Pick<Store, 'query'>): Promise<void> => {
  await store.query(EVERY_TENANT, {
    name: 'check-writes',
    text: `INSERT INTO lease (name, available_at)
           VALUES ('readiness', now())
           ON CONFLICT (name) DO UPDATE SET available_at = now()`,
  });
};
