import { isFinalSqlState, isSqlState } from '@partyline/domain/sql-state';
import pg from 'pg';

/**
 * Statements wait for locks but run briefly: the sweep of 100,000 legs takes 0.2 s.
 */
const STATEMENT_TIMEOUT_MS = 5_000;

/**
 * The server's timeout comes first, because its error names the statement. The client's ends only a
 * dead connection: both reconcilers once hung on one. The wait for a connection outlasts that, or a
 * pool of dead connections would fail all waiting requests. `checkMs` bounds the first statement of
 * a new connection.
 */
export const timeoutsOf = (statementTimeoutMs = STATEMENT_TIMEOUT_MS) => ({
  statementMs: statementTimeoutMs,
  noAnswerMs: statementTimeoutMs * 1.1,
  connectMs: statementTimeoutMs * 1.25,
  checkMs: statementTimeoutMs * 0.2,
});

/**
 * After a failover without an error, connections reach the new server within this time.
 */
const MAX_LIFETIME_SECONDS = 300;
/** A proxy in front of two servers gives a writable connection in one of a few attempts. */
const MAX_CONNECT_ATTEMPTS = 3;

const READ_ONLY = '25006';
/**
 * Errors that say nothing about the connection: the transaction must run again, or has waited too
 * long for a lock, or had failed before.
 */
const HARMLESS_CODES = new Set(['40P01', '40001', '55P03', '25P02']);
/**
 * Read-only, shut down, crashed, starting, or a broken connection: the other ones are no better.
 */
const isFailoverCode = (code: string): boolean => code === READ_ONLY || /^(57P0[123]|08)/.test(code);

/** What is known of one connection. */
interface Condition {
  /** The number of failovers that the pool had seen when the connection was opened. */
  readonly opened: number;
  /** A statement failed in a way that the next one may fail too. */
  isSuspect: boolean;
}

/**
 * Opens a pool whose connections all accept writes.
 *
 * A connection to a read-only server is not used. A connection that met a failover, a broken
 * connection or a timeout is not used again, and after a failover neither is any that was open
 * before it: ROLLBACK succeeds on a read-only server, so the pool itself would keep it.
 *
 * Behind a pooler no statement has a name: in its transaction mode the next transaction has another
 * server session.
 *
 * @param session settings of each session, for a direct connection: a pooler rejects or mixes them
 */
export function openPool({
  url,
  max,
  statementTimeoutMs,
  session = {},
  onError,
}: {
  url: string;
  max: number;
  statementTimeoutMs: number | undefined;
  session?: Pick<pg.PoolConfig, 'statement_timeout' | 'idle_in_transaction_session_timeout'>;
  onError: (error: Error) => void;
}): pg.Pool {
  const { noAnswerMs, connectMs, checkMs } = timeoutsOf(statementTimeoutMs);
  const conditions = new WeakMap<pg.ClientBase, Condition>();
  let failovers = 0;

  const noteError = (client: pg.ClientBase, error: unknown): void => {
    const condition = conditions.get(client);
    if (condition === undefined || !(error instanceof Error)) return;
    const { code } = error as { code?: unknown };
    if (isSqlState(code) && (isFinalSqlState(code) || HARMLESS_CODES.has(code))) return;
    condition.isSuspect = true;
    const isFailover = isSqlState(code) ? isFailoverCode(code) : error.message !== 'Query read timeout';
    // An error of an old connection says nothing about those that were opened since.
    if (isFailover) failovers = Math.max(failovers, condition.opened + 1);
  };

  /** Every statement passes here: those of the pool, of a transaction, and of Prisma. */
  const observeStatements = (client: pg.ClientBase, isPooled: boolean): void => {
    const run = client.query.bind(client) as (...args: unknown[]) => unknown;
    const withoutName = (query: unknown): unknown =>
      isPooled && typeof query === 'object' && query !== null && 'name' in query
        ? { ...query, name: undefined }
        : query;
    client.query = ((query: unknown, ...rest: unknown[]) => {
      const last = rest.at(-1);
      if (typeof last === 'function') {
        const callback = (error: unknown, result: unknown): void => {
          noteError(client, error);
          (last as (error: unknown, result: unknown) => void)(error, result);
        };
        return run(withoutName(query), ...rest.slice(0, -1), callback);
      }
      const result = run(withoutName(query), ...rest) as Promise<unknown>;
      return result.catch((error: unknown) => {
        noteError(client, error);
        throw error;
      });
    }) as typeof client.query;
  };

  /**
   * A pooler answers with a process id of its own, so that it and the server's differ.
   * @throws DatabaseError 25006 if the server is read-only
   */
  const prepare = async (client: pg.ClientBase): Promise<void> => {
    const check = {
      text: `SELECT pg_backend_pid() AS pid, current_setting('transaction_read_only')::bool AS read_only`,
      query_timeout: checkMs,
    };
    const { rows } = await client.query<{ pid: number; read_only: boolean }>(check);
    if (rows[0]?.read_only === true) throw readOnlyError();
    conditions.set(client, { opened: failovers, isSuspect: false });
    observeStatements(client, rows[0]?.pid !== (client as unknown as { processID: number }).processID);
  };

  const pool = new pg.Pool({
    connectionString: url,
    max,
    ...session,
    connectionTimeoutMillis: connectMs,
    query_timeout: noAnswerMs,
    maxLifetimeSeconds: MAX_LIFETIME_SECONDS,
    // A transaction of one statement is sent as a whole: one round trip.
    pipeline: true,
    // The system's default is two hours.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // oxlint-disable-next-line typescript/no-misused-promises -- the pool awaits it; its type does not say so
    onConnect: prepare,
  });
  // Without a listener, a connection that the server closes ends the process. The pool's listener
  // covers idle connections only.
  pool.on('error', (error, client) => {
    noteError(client, error);
    onError(error);
  });
  pool.on('connect', (client) => client.on('error', onError));

  const connect = pool.connect.bind(pool) as () => Promise<pg.PoolClient>;
  const isUsable = (client: pg.PoolClient): boolean => {
    const condition = conditions.get(client);
    return condition !== undefined && !condition.isSuspect && condition.opened >= failovers;
  };
  const checkOut = async (): Promise<pg.PoolClient> => {
    for (let attempt = 1; ;) {
      try {
        const client = await connect();
        if (isUsable(client)) return client;
        // Each turn removes one connection.
        client.release(true);
      } catch (error) {
        if ((error as { code?: unknown }).code !== READ_ONLY || attempt === MAX_CONNECT_ATTEMPTS) throw error;
        attempt += 1;
      }
    }
  };
  // The pool's own `query` passes a function.
  type Done = (error: Error | undefined, client?: pg.PoolClient, release?: () => void) => void;
  const checkOutFor = async (done: Done): Promise<void> => {
    let client: pg.PoolClient;
    try {
      client = await checkOut();
    } catch (error) {
      done(error as Error, undefined, () => undefined);
      return;
    }
    done(undefined, client, () => client.release());
  };
  pool.connect = ((done?: Done) => (done === undefined ? checkOut() : void checkOutFor(done))) as typeof pool.connect;
  return pool;
}

const readOnlyError = (): pg.DatabaseError =>
  Object.assign(new pg.DatabaseError('the database accepts no writes', 0, 'error'), {
    code: READ_ONLY,
    severity: 'ERROR',
  });
