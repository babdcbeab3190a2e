import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient, type Prisma } from '../generated/client.ts';

/**
 * The connection to Postgres. Each access to tenants' rows names a scope: row-level security shows
 * a transaction the rows of its scope only, and none without a scope.
 */
export interface Store {
  /**
   * Without a scope: for SQL functions that find the tenant themselves (voice webhooks), and for
   * health checks.
   */
  readonly pool: pg.Pool;
  /** Without a scope, so only for rows of no tenant. Use `readForTenant` for a tenant's rows. */
  readonly prisma: PrismaClient;
  /** Runs one statement in a transaction of its own. */
  query<Row extends pg.QueryResultRow>(
    scope: Scope,
    query: pg.QueryConfig,
  ): Promise<Pick<pg.QueryResult<Row>, 'rows' | 'rowCount'>>;
  /** The journal of the current request, if the request has an idempotency key. */
  readonly journal?: () => TransactionJournal | undefined;
  close(): Promise<void>;
}

/**
 * One tenant's rows, or those of all tenants: for the operator, for sweeps, and for callers before
 * admission.
 */
export type Scope = string | typeof EVERY_TENANT;
export const EVERY_TENANT = Symbol('every tenant');

/**
 * Records the results of a request's transactions for a repeated request (see
 * idempotency/journal.ts).
 */
export interface TransactionJournal {
  /** Runs a step that changes no rows. */
  read<T>(work: () => Promise<T>): Promise<T>;
  /** Runs a transaction. `run` calls `keep` once for each attempt of the transaction. */
  change<T>(scope: Scope, run: (keep: (tx: Tx, work: (tx: Tx) => Promise<T>) => Promise<T>) => Promise<T>): Promise<T>;
}

/** One transaction's connection. */
export type Tx = pg.PoolClient;

/**
 * Statements wait for locks but run briefly: the sweep of 100,000 legs takes 0.2 s.
 */
const STATEMENT_TIMEOUT_MS = 5_000;

/**
 * Each timeout is longer than the one before. The server's comes first because its error names the
 * statement. The client's ends only a dead connection: both reconcilers once hung on one. The wait
 * for a connection outlasts that, or a pool of dead connections would fail all waiting requests.
 */
const timeouts = (statementTimeoutMs: number) => ({
  statementMs: statementTimeoutMs,
  noAnswerMs: statementTimeoutMs * 1.1,
  connectMs: statementTimeoutMs * 1.25,
});

/**
 * @param url `postgresql://...`; its user is a member of the roles partyline_tenant and
 *   partyline_platform, owns no table, and does not have BYPASSRLS
 * @param max connections; each replica of each service adds its own to the server's limit
 * @param statementTimeoutMs lower for voice-webhooks: with the wait for a connection it must end
 *   within the 5 s that the provider gives a webhook (contract §3), so that the provider's retry
 *   succeeds
 * @param owner for tests and for tools that prepare a database: statements without a scope run as
 *   the user itself
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
  // A new connection sees no tenant's rows, so that a statement without a scope fails closed.
  const options = owner ? undefined : '-c role=partyline_tenant';
  const { statementMs, noAnswerMs, connectMs } = timeouts(statementTimeoutMs);
  // Keep-alive after ten idle seconds: the system's default is two hours.
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
  // Without a listener, a connection that the server closes ends the process. The pool's listener
  // covers idle connections only.
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

/** A store whose transactions are recorded in the journal of the current request, if it has one. */
export function withJournal(store: Store, journal: () => TransactionJournal | undefined): Store {
  const journaled: Store = {
    ...store,
    journal,
    query: (scope, query) =>
      inTransaction(journaled, scope, async (tx) => {
        const { rows, rowCount } = await tx.query(query);
        return { rows, rowCount };
      }),
  };
  return journaled;
}

/**
 * One message, so that the scope costs no extra round trip. LOCAL, so that it ends with the
 * transaction.
 */
const beginStatement = (scope: Scope): string =>
  scope === EVERY_TENANT
    ? 'BEGIN; SET LOCAL ROLE partyline_platform'
    : `BEGIN; SET LOCAL ROLE partyline_tenant; SET LOCAL partyline.tenant = ${pg.escapeLiteral(scope)}`;

/** Deadlock and serialization failure: the transaction changed nothing and may run again. */
const RETRYABLE_CODES = new Set(['40P01', '40001']);
const MAX_ATTEMPTS = 3;

/**
 * Runs `work` in one transaction in a scope: commits when it resolves, rolls back when it throws.
 * Retries up to twice on a deadlock, so `work` must have no effects besides its queries.
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
      // A connection without an answer cannot roll back; the server ends its transaction.
      if (error instanceof Error && error.message === 'Query read timeout') broken = error;
      else await tx.query('ROLLBACK').catch((failure: Error) => (broken = failure));
      const code = (error as { code?: string }).code;
      if (attempt === MAX_ATTEMPTS || code === undefined || !RETRYABLE_CODES.has(code)) throw error;
    } finally {
      // A connection that failed to roll back is destroyed, not returned to the pool.
      tx.release(broken);
    }
  }
}

/** Reads a tenant's rows with Prisma, in one transaction. */
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
    await db.$executeRaw`
      SELECT set_config('role', 'partyline_tenant', true), set_config('partyline.tenant', ${tenantId}, true)`;
    return read(db);
  });
}
