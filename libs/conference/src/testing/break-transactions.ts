import type { Store } from '@partyline/store/database/store';

/**
 * Returns a store that cannot begin transactions while `broken` returns true; single queries work.
 */
export const breakTransactions = (store: Store, broken: () => boolean): Store => {
  const { pool } = store;
  const brokenPool = {
    query: pool.query.bind(pool),
    connect: () => (broken() ? Promise.reject(new Error('Postgres is unreachable')) : pool.connect()),
  };
  return { ...store, pool: brokenPool as unknown as Store['pool'] };
};
