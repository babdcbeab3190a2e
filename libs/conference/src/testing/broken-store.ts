import type { Store } from '@partyline/store/database/store';

/** A store whose transactions cannot begin while `broken` says so; plain reads go on. */
export const breakTransactions = (store: Store, broken: () => boolean): Store => {
  const { pool } = store;
  const half = {
    query: pool.query.bind(pool),
    connect: () => (broken() ? Promise.reject(new Error('Postgres is away')) : pool.connect()),
  };
  return { ...store, pool: half as unknown as Store['pool'] };
};
