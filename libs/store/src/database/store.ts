import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient, type Prisma } from '../generated/client.ts';
import { openPool, timeoutsOf } from './connections.ts';

/**
 * The connection to Postgres. Each access to tenants' rows names a scope: row-level security shows
 * a transaction the rows of its scope only, and none without a scope.
 */
export interface Store {
  /** Without a scope: for SQL functions that find the tenant themselves (voice webhooks). */
  readonly pool: pg.Pool;
  /** Without a scope, so only for rows of no tenant. Use `readForTenant` for a tenant's rows. */
  readonly prisma: PrismaClient;
  /** Milliseconds that a statement may take. Each transaction sets them. */
  readonly statementTimeoutMs: number;
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
  statementTimeoutMs,
  owner = false,
  onError,
}: {
  url: string;
  max?: number;
  statementTimeoutMs?: number;
  owner?: boolean;
  onError: (error: Error) => void;
}): Store {
  const { statementMs, noAnswerMs, connectMs } = timeoutsOf(statementTimeoutMs);
  const session = {
    statement_timeout: statementMs,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
  };
  const pool = openPool({ url, max, statementTimeoutMs, ...(owner ? { session } : {}), onError });
  const prisma = new PrismaClient({
    adapter: new PrismaPg(pool),
    transactionOptions: { maxWait: connectMs, timeout: noAnswerMs },
  });
  const store: Store = {
    pool,
    prisma,
    statementTimeoutMs: statementMs,
    query: (scope, query) => runStatement(store, scope, query),
    close: async () => {
      await prisma.$disconnect();
      await pool.end();
    },
  };
  if (!owner)
    pool.query = ((query: string | pg.QueryConfig, values?: unknown[]) =>
      runStatement(
        store,
        NO_TENANT,
        typeof query === 'string' ? { text: query, ...(values === undefined ? {} : { values }) } : query,
      )) as typeof pool.query;
  return store;
}

/** A store whose transactions are recorded in the journal of the current request, if it has one. */
export function withJournal(store: Store, journal: () => TransactionJournal | undefined): Store {
  const journaled: Store = {
    ...store,
    journal,
    query: (scope, query) =>
      journal() === undefined
        ? store.query(scope, query)
        : inTransaction(journaled, scope, async (tx) => {
            const { rows, rowCount } = await tx.query(query);
            return { rows, rowCount };
          }),
  };
  return journaled;
}

/** A transaction that stays open without a statement ends after this time. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000;

/** The scope of a statement without one: it sees no tenant's rows, so that it fails closed. */
const NO_TENANT = Symbol('no tenant');

/**
 * One message, so that the scope and the timeouts cost no extra round trip. LOCAL, so that they end
 * with the transaction: behind a pooler the session is shared.
 */
function beginStatement(scope: Scope | typeof NO_TENANT, statementMs: number): string {
  const role = scope === EVERY_TENANT ? 'partyline_platform' : 'partyline_tenant';
  const tenant = typeof scope === 'string' ? `SET LOCAL partyline.tenant = ${pg.escapeLiteral(scope)}; ` : '';
  return (
    `BEGIN; SET LOCAL ROLE ${role}; ${tenant}SET LOCAL statement_timeout = ${statementMs}; ` +
    `SET LOCAL idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_TIMEOUT_MS}`
  );
}

/**
 * Deadlock, serialization failure, read-only server: the transaction changed nothing and may run
 * again. After a read-only server it runs on a new connection.
 */
const RETRYABLE_CODES = new Set(['40P01', '40001', '25006']);
const MAX_ATTEMPTS = 3;
const isRetryable = (error: unknown): boolean => RETRYABLE_CODES.has(String((error as { code?: unknown }).code));

/** Runs one statement in a transaction of its own, in one round trip. */
async function runStatement<Row extends pg.QueryResultRow>(
  store: Pick<Store, 'pool' | 'statementTimeoutMs'>,
  scope: Scope | typeof NO_TENANT,
  query: pg.QueryConfig,
): Promise<pg.QueryResult<Row>> {
  for (let attempt = 1; ; attempt++) {
    const tx = await store.pool.connect();
    // After an error, Postgres rejects the statement and rolls back instead of committing.
    const [begun, ran, committed] = await Promise.allSettled([
      tx.query(beginStatement(scope, store.statementTimeoutMs)),
      tx.query<Row>(query),
      tx.query('COMMIT'),
    ]);
    const failed = [begun, ran, committed].find(({ status }) => status === 'rejected') as
      PromiseRejectedResult | undefined;
    tx.release();
    if (failed === undefined && ran.status === 'fulfilled') return ran.value;
    if (attempt === MAX_ATTEMPTS || !isRetryable(failed?.reason)) throw failed?.reason;
  }
}

/**
 * Runs `work` in one transaction in a scope: commits when it resolves, rolls back when it throws.
 * Retries up to twice on a deadlock, so `work` must have no effects besides its queries.
 */
export async function inTransaction<T>(
  store: Pick<Store, 'pool' | 'statementTimeoutMs' | 'journal'>,
  scope: Scope,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const journal = store.journal?.();
  return journal === undefined
    ? runTransaction(store, scope, work)
    : journal.change(scope, (keep) => runTransaction(store, scope, (tx) => keep(tx, work)));
}

async function runTransaction<T>(
  store: Pick<Store, 'pool' | 'statementTimeoutMs'>,
  scope: Scope,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const tx = await store.pool.connect();
    let broken: Error | undefined;
    try {
      await tx.query(beginStatement(scope, store.statementTimeoutMs));
      const result = await work(tx);
      await tx.query('COMMIT');
      return result;
    } catch (error) {
      // A connection without an answer cannot roll back; the server ends its transaction.
      if (error instanceof Error && error.message === 'Query read timeout') broken = error;
      else await tx.query('ROLLBACK').catch((failure: Error) => (broken = failure));
      if (attempt === MAX_ATTEMPTS || !isRetryable(error)) throw error;
    } finally {
      // A connection that failed to roll back is destroyed, not returned to the pool.
      tx.release(broken);
    }
  }
}

/** Reads a tenant's rows with Prisma, in one transaction. */
export async function readForTenant<T>(
  store: Pick<Store, 'prisma' | 'statementTimeoutMs' | 'journal'>,
  tenantId: string,
  read: (db: Prisma.TransactionClient) => Promise<T>,
): Promise<T> {
  const journal = store.journal?.();
  return journal === undefined
    ? readWithPrisma(store, tenantId, read)
    : journal.read(() => readWithPrisma(store, tenantId, read));
}

async function readWithPrisma<T>(
  store: Pick<Store, 'prisma' | 'statementTimeoutMs'>,
  tenantId: string,
  read: (db: Prisma.TransactionClient) => Promise<T>,
): Promise<T> {
  return store.prisma.$transaction(async (db) => {
    await db.$executeRaw`
      SELECT set_config('role', 'partyline_tenant', true), set_config('partyline.tenant', ${tenantId}, true),
        set_config('statement_timeout', ${String(store.statementTimeoutMs)}, true),
        set_config('idle_in_transaction_session_timeout', ${String(IDLE_IN_TRANSACTION_TIMEOUT_MS)}, true)`;
    return read(db);
  });
}
