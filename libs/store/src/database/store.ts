import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient, type Prisma } from '../generated/client.ts';

/**
 * Postgres. Everything that reads or writes a tenant's rows says whose: row-level security shows a transaction the rows of its scope and no others,
 * and one without a scope sees none (reliability.md §5).
 */
export interface Store {
  /** Without a scope: for functions of the database that find the tenant themselves (the carrier's webhooks), and to see whether it answers. */
  readonly pool: pg.Pool;
  /** Without a scope too, so for what is nobody's own; a tenant's rows are read by `readAs`. */
  readonly prisma: PrismaClient;
  /** One statement in a transaction of its own. */
  query<Row extends pg.QueryResultRow>(
    scope: Scope,
    query: pg.QueryConfig,
  ): Promise<Pick<pg.QueryResult<Row>, 'rows' | 'rowCount'>>;
  /** Of the request that is being done, when it is one that is to be done only once. */
  readonly journal?: () => TransactionJournal | undefined;
  close(): Promise<void>;
}

/** What a transaction may touch: one tenant's rows, or, for the operator's own sweeps and for calls that are nobody's yet, everybody's. */
export type Scope = string | typeof EVERY_TENANT;
export const EVERY_TENANT = Symbol('every tenant');

/** Records the results of a request's transactions, so that a repeated request gets them again (idempotency/journal.ts). */
export interface TransactionJournal {
  read<T>(work: () => Promise<T>): Promise<T>;
  /** `run` passes the transaction's connection and work to `keep`, more than once when it is retried. */
  change<T>(scope: Scope, run: (keep: (tx: Tx, work: (tx: Tx) => Promise<T>) => Promise<T>) => Promise<T>): Promise<T>;
}

/** One transaction's connection. */
export type Tx = pg.PoolClient;

/** Some statements wait for a lock, none works for long; the sweep of 100,000 legs takes 0.2 s (performance.md). */
const STATEMENT_TIMEOUT_MS = 5_000;

/**
 * Each limit is longer than the one before, so that of two that could be met it is the server's, whose error names the statement. A statement is ended by the server; only a connection
 * that died without a word is given up by us (seen: both reconcilers hung on one); and who waits for a connection outlasts that, or a pool of dead
 * ones would keep out everybody who comes until they are given up (seen under chaos: callers).
 */
const timeouts = (statementTimeoutMs: number) => ({
  statementMs: statementTimeoutMs,
  noAnswerMs: statementTimeoutMs * 1.1,
  connectMs: statementTimeoutMs * 1.25,
});

/**
 * @param url `postgresql://…`; its user is a member of the roles partyline_tenant and partyline_platform, and neither owns the tables nor has BYPASSRLS
 * @param max connections; every replica of every service adds its own to the server's limit
 * @param statementTimeoutMs how long a statement may take. Whoever holds a caller on the line has less: with waiting for a connection it must end within the 5 s that
 *   the carrier gives a webhook (contract §3), so that its second try finds us
 * @param owner for tests and for tools that prepare a database: what has no scope is done as the user itself
 */
export function openStore({
  url,
  max = 10,
  statementTimeoutMs = STATEMENT_TIMEOUT_MS,
  owner = false,
  onError,
}: {
  url: string;
  max?: number;
  statementTimeoutMs?: number;
  owner?: boolean;
  onError: (error: Error) => void;
}): Store {
  // A connection begins as somebody who sees no tenant's rows: a statement that forgot its scope fails closed.
  const options = owner ? undefined : '-c role=partyline_tenant';
  const { statementMs, noAnswerMs, connectMs } = timeouts(statementTimeoutMs);
  // Probed after ten idle seconds: the system's own two hours are as good as never.
  const pool = new pg.Pool({
    connectionString: url,
    options,
    max,
    connectionTimeoutMillis: connectMs,
    statement_timeout: statementMs,
    query_timeout: noAnswerMs,
    idle_in_transaction_session_timeout: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // Without a listener a connection that the server closes ends the process: the pool has one for those that are idle, those in use need their own.
  pool.on('error', onError);
  pool.on('connect', (connection) => connection.on('error', onError));
  const prisma = new PrismaClient({
    adapter: new PrismaPg(pool),
    transactionOptions: { maxWait: connectMs, timeout: noAnswerMs },
  });
  const store: Store = {
    pool,
    prisma,
    query: (scope, query) => inTransaction(store, scope, (tx) => tx.query(query)),
    close: async () => {
      await prisma.$disconnect();
      await pool.end();
    },
  };
  return store;
}

/** A store whose transactions are kept in the journal of the request that they are part of, if it has one. */
export function withJournal(store: Store, journal: () => TransactionJournal | undefined): Store {
  const kept: Store = {
    ...store,
    journal,
    query: (scope, query) =>
      inTransaction(kept, scope, async (tx) => {
        const { rows, rowCount } = await tx.query(query);
        return { rows, rowCount };
      }),
  };
  return kept;
}

/** As one message, so that a scope costs no round trip of its own; local to the transaction, so that it cannot outlive it in the pool. */
const beginStatement = (scope: Scope): string =>
  scope === EVERY_TENANT
    ? 'BEGIN; SET LOCAL ROLE partyline_platform'
    : `BEGIN; SET LOCAL ROLE partyline_tenant; SET LOCAL partyline.tenant = ${pg.escapeLiteral(scope)}`;

/** Deadlock and serialisation failures: the transaction did nothing and may simply run again. */
const RETRYABLE_CODES = new Set(['40P01', '40001']);
const MAX_ATTEMPTS = 3;

/**
 * Runs `work` in one transaction in a scope: committed when it resolves, rolled back when it throws. Run up to three times when it meets a deadlock, so `work` must
 * do nothing but its queries.
 */
export async function inTransaction<T>(
  store: Pick<Store, 'pool' | 'journal'>,
  scope: Scope,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const journal = store.journal?.();
  return journal === undefined
    ? runTransaction(store, scope, work)
    : journal.change(scope, (keep) => runTransaction(store, scope, (tx) => keep(tx, work)));
}

async function runTransaction<T>(store: Pick<Store, 'pool'>, scope: Scope, work: (tx: Tx) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const tx = await store.pool.connect();
    let broken: Error | undefined;
    try {
      await tx.query(beginStatement(scope));
      const result = await work(tx);
      await tx.query('COMMIT');
      return result;
    } catch (error) {
      // On a connection that gives no answer there is nobody to roll back with; the server ends it.
      if (error instanceof Error && error.message === 'Query read timeout') broken = error;
      else await tx.query('ROLLBACK').catch((failure: Error) => (broken = failure));
      const code = (error as { code?: string }).code;
      if (attempt === MAX_ATTEMPTS || code === undefined || !RETRYABLE_CODES.has(code)) throw error;
    } finally {
      // A connection that cannot even roll back is thrown away, not given to the next.
      tx.release(broken);
    }
  }
}

/** What Prisma reads for a tenant, in one transaction. */
export async function readForTenant<T>(
  store: Pick<Store, 'prisma' | 'journal'>,
  tenantId: string,
  read: (db: Prisma.TransactionClient) => Promise<T>,
): Promise<T> {
  const journal = store.journal?.();
  return journal === undefined
    ? readWithPrisma(store, tenantId, read)
    : journal.read(() => readWithPrisma(store, tenantId, read));
}

async function readWithPrisma<T>(
  store: Pick<Store, 'prisma'>,
  tenantId: string,
  read: (db: Prisma.TransactionClient) => Promise<T>,
): Promise<T> {
  return store.prisma.$transaction(async (db) => {
    await db.$executeRaw`SELECT set_config('role', 'partyline_tenant', true), set_config('partyline.tenant', ${tenantId}, true)`;
    return read(db);
  });
}
