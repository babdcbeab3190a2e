import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from './generated/client.ts';

/** Postgres, twice over one pool: Prisma for what is read and written at leisure, prepared SQL for what holds a caller on the line. */
export interface Store {
  readonly pool: pg.Pool;
  readonly prisma: PrismaClient;
  close(): Promise<void>;
}

/** One transaction's connection. */
export type Tx = pg.PoolClient;

/** Longer than the server's own limit: only a connection that died without a word takes this long (seen: both reconcilers hung on one). */
const NO_ANSWER_MS = 6_000;

/**
 * @param url `postgresql://…`
 * @param max connections; every replica of every service adds its own to the server's limit
 */
export function openStore({ url, max = 10, onError }: { url: string; max?: number; onError: (error: Error) => void }): Store {
  const pool = new pg.Pool({ connectionString: url, max, connectionTimeoutMillis: 5_000, statement_timeout: 5_000, query_timeout: NO_ANSWER_MS, idle_in_transaction_session_timeout: 10_000, keepAlive: true });
  // Without a listener a connection that the server closes ends the process: the pool has one for those that are idle, those in use need their own.
  pool.on('error', onError);
  pool.on('connect', (connection) => connection.on('error', onError));
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  return {
    pool,
    prisma,
    close: async () => {
      await prisma.$disconnect();
      await pool.end();
    },
  };
}

/** Deadlock and serialisation failures: the transaction did nothing and may simply run again. */
const CAN_RUN_AGAIN = new Set(['40P01', '40001']);
const ATTEMPTS = 3;

/**
 * Runs `work` in one transaction: committed when it resolves, rolled back when it throws. Run up to three times when it meets a deadlock, so `work` must
 * do nothing but its queries.
 */
export async function inTransaction<T>(store: Store, work: (tx: Tx) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const tx = await store.pool.connect();
    let broken: Error | undefined;
    try {
      await tx.query('BEGIN');
      const result = await work(tx);
      await tx.query('COMMIT');
      return result;
    } catch (error) {
      // On a connection that gives no answer there is nobody to roll back with; the server ends it.
      if (error instanceof Error && error.message === 'Query read timeout') broken = error;
      else await tx.query('ROLLBACK').catch((failure: Error) => (broken = failure));
      const code = (error as { code?: string }).code;
      if (attempt === ATTEMPTS || code === undefined || !CAN_RUN_AGAIN.has(code)) throw error;
    } finally {
      // A connection that cannot even roll back is thrown away, not given to the next.
      tx.release(broken);
    }
  }
}
