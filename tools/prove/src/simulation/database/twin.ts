import type { Scope, Store } from '@partyline/store/database/store';
import type { Reply } from '../runtime/process.ts';
import { createPrismaTwin } from './prisma-twin.ts';
import type { StatementResult, StatementTwin } from './statement-twin.ts';
import { CORE_TWINS } from './statements-core.ts';
import { DUE_WORK_TWINS } from './statements-due-work.ts';
import { DELIVERY_TWINS } from './statements-deliveries.ts';
import { BILLING_TWINS } from './statements-billing.ts';
import { INVENTORY_TWINS } from './statements-inventory.ts';
import { Change, ConnectionError, DatabaseError, Tables } from './tables.ts';

/** The path to the database: the seam of a process, or a direct call in the differential test. */
type DatabaseSeam = <T>(label: string, act: () => Reply<T>, checkLost?: () => Error | null) => Promise<T>;

interface Query {
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

const connectionReset = (): ConnectionError => new ConnectionError('ECONNRESET', 'Connection terminated unexpectedly');
const connectionRefused = (): ConnectionError => new ConnectionError('ECONNREFUSED', 'connect ECONNREFUSED');
const idleTimeout = (): DatabaseError =>
  new DatabaseError('25P03', 'terminating connection due to idle-in-transaction timeout');

interface Transaction {
  readonly startedAt: Date;
  readonly change: Change;
  hasFailed: boolean;
  /** The error of further statements after the end of the transaction. */
  ended: Error | undefined;
}

/**
 * The database server. One lock serializes all transactions. Unlike in Postgres, transactions
 * neither run concurrently nor deadlock. It does simulate every order of whole transactions,
 * crashes before and after each commit, broken connections, commits whose answer is lost, and a
 * failover that loses the last commits.
 */
export class DatabaseServer {
  readonly tables = new Tables();
  /** Rejects every connection. */
  isDown = false;
  /** Called after each commit with the changed rows as they were before. */
  onCommit: ((change: Change) => void) | undefined = undefined;
  /** Called when a twin is missing or throws: a bug of the simulation itself. */
  onInternalError: ((error: unknown) => void) | undefined = undefined;
  /** The milliseconds of a round trip. */
  latency: () => number = () => 1;
  readonly #now: () => number;
  #date = new Date(0);
  #lock: Transaction | null = null;
  #waiting: (() => void)[] = [];
  #breakCount = 0;
  /** The commits that a failover can lose, newest last. */
  #recentCommits: { at: number; change: Change }[] = [];
  failoverCount = 0;
  /** Sessions and legs with a change that a failover lost. */
  readonly lostSessions = new Set<string>();
  readonly lostLegs = new Set<string>();
  /** The age up to which a failover can lose commits. 0 keeps none. */
  keepCommitsMs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** How often all connections have ended. */
  get breakCount(): number {
    return this.#breakCount;
  }

  /** One immutable object per instant, which rows share. */
  currentDate(): Date {
    const now = this.#now();
    if (this.#date.getTime() !== now) this.#date = new Date(now);
    return this.#date;
  }

  /** Ends all connections and rolls back the open transaction. */
  breakConnections(): void {
    this.#breakCount += 1;
    if (this.#lock !== null) this.abort(this.#lock, connectionReset());
  }

  /** Fails over to a standby that lacks the commits of the last `ms`. */
  failOver(ms: number): void {
    this.breakConnections();
    this.failoverCount += 1;
    const since = this.#now() - ms;
    while (this.#recentCommits.length > 0 && this.#recentCommits.at(-1)!.at >= since) {
      const { change } = this.#recentCommits.pop()!;
      for (const id of change.sessions.keys()) this.lostSessions.add(id);
      for (const id of change.legs.keys()) {
        this.lostLegs.add(id);
        this.lostSessions.add(this.tables.legs.get(id)?.session_id ?? '');
      }
      for (const undo of change.undo.toReversed()) undo();
    }
    this.tables.change = new Change();
  }

  /** Starts a transaction. Null while another one is open: `onReleased` is called when it ends. */
  begin(onReleased: () => void): Transaction | null {
    if (this.#lock !== null) {
      this.#waiting.push(onReleased);
      return null;
    }
    this.#lock = { startedAt: this.currentDate(), change: new Change(), hasFailed: false, ended: undefined };
    this.tables.change = this.#lock.change;
    return this.#lock;
  }

  get isLocked(): boolean {
    return this.#lock !== null;
  }

  /** Resolves when the open transaction ends. */
  whenReleased(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  execute(transaction: Transaction, query: Query): StatementResult {
    if (transaction.ended !== undefined) throw transaction.ended;
    if (transaction.hasFailed) throw new DatabaseError('25P02', 'current transaction is aborted');
    try {
      return executeTwin(this.tables, query, { now: transaction.startedAt, clock: this.currentDate() });
    } catch (error) {
      if (!(error instanceof DatabaseError)) this.onInternalError?.(error);
      transaction.hasFailed = true;
      throw error;
    }
  }

  commit(transaction: Transaction): void {
    if (transaction.ended !== undefined) throw transaction.ended;
    if (transaction.hasFailed) {
      this.rollback(transaction);
      return;
    }
    const { change } = transaction;
    this.#release();
    if (change.undo.length === 0) return;
    if (this.keepCommitsMs > 0) this.#keep(change);
    this.onCommit?.(change);
  }

  rollback(transaction: Transaction): void {
    if (transaction.ended !== undefined) return;
    transaction.ended = new DatabaseError('25P01', 'there is no transaction in progress');
    for (const undo of transaction.change.undo.toReversed()) undo();
    this.#release();
  }

  /**
   * Rolls back the transaction of a killed process, of a broken connection, or one that was idle
   * too long.
   */
  abort(transaction: Transaction, reason: Error): void {
    if (transaction.ended !== undefined || this.#lock !== transaction) return;
    this.rollback(transaction);
    transaction.ended = reason;
  }

  #keep(change: Change): void {
    const at = this.#now();
    this.#recentCommits.push({ at, change });
    while (this.#recentCommits.length > 0 && this.#recentCommits[0]!.at < at - this.keepCommitsMs)
      this.#recentCommits.shift();
  }

  #release(): void {
    this.#lock = null;
    this.tables.change = new Change();
    // All of them retry: the first alone may be dead, and the others would wait forever.
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

/**
 * Twins by statement name, or by text for a statement without a name. twin.test.ts compares them
 * with Postgres.
 */
const TWINS: Readonly<Record<string, StatementTwin>> = {
  ...CORE_TWINS,
  ...DUE_WORK_TWINS,
  ...BILLING_TWINS,
  ...INVENTORY_TWINS,
  ...DELIVERY_TWINS,
};

/** Stops the simulation, which would otherwise prove nothing about the statement. */
class UnknownStatementError extends Error {}

function executeTwin(
  tables: Tables,
  { name, text, values = [] }: Query,
  time: { now: Date; clock: Date },
): StatementResult {
  const twin: StatementTwin | undefined = TWINS[name ?? text];
  if (twin === undefined)
    throw new UnknownStatementError(
      `the statement "${name ?? text}" has no twin. Add one in tools/prove/src/simulation/database.`,
    );
  return twin(tables, values, time, text);
}

/**
 * A `Store` of one process on the simulated server.
 * @param isFineGrained each statement is a seam call of its own, for kill points and interleaving;
 *   else only the commit is, since a crash within a transaction rolls it back in any case
 * @param onOpen receives a function that rolls back the transaction that was just opened
 */
export function openTwinStore(
  server: DatabaseServer,
  seam: DatabaseSeam,
  { isFineGrained = false, onOpen }: { isFineGrained?: boolean; onOpen?: (abort: () => void) => void } = {},
): Store {
  const call = <T>(label: string, act: () => T): Promise<T> => {
    let { breakCount } = server;
    return seam<T>(
      label,
      () => {
        if (server.isDown) return { ms: server.latency(), error: connectionRefused() };
        breakCount = server.breakCount;
        return { ms: server.latency(), value: act() };
      },
      // The statement may have taken effect, but its answer was lost with the connection.
      () => (server.breakCount === breakCount ? null : connectionReset()),
    );
  };
  /** Starts a transaction by seam calls, one for each attempt to get the lock. */
  const beginBySeam = async (label: string): Promise<Transaction> => {
    for (;;) {
      let released: Promise<void> | undefined;
      const begun = await call(label, () => {
        let onReleased = (): void => undefined;
        const transaction = server.begin(() => onReleased());
        if (transaction === null) released = new Promise((resolve) => (onReleased = resolve));
        // Before the answer arrives, since a process that is killed meanwhile must not keep the
        // lock.
        else onOpen?.(() => server.abort(transaction, idleTimeout()));
        return transaction;
      });
      if (begun !== null) return begun;
      await released;
    }
  };

  const executeAndCommit = (transaction: Transaction, query: Query): StatementResult => {
    try {
      const result = server.execute(transaction, query);
      server.commit(transaction);
      return result;
    } catch (error) {
      server.rollback(transaction);
      throw error;
    }
  };

  async function autoCommit(query: Query): Promise<StatementResult> {
    const label = `db ${query.name ?? 'statement'}`;
    if (!isFineGrained) while (server.isLocked) await server.whenReleased();
    else if (server.isLocked) return executeAndCommit(await beginBySeam(label), query);
    return call(label, () =>
      executeAndCommit(
        server.begin(() => undefined)!,
        query,
      ),
    );
  }

  /**
   * Without fine granularity, a lock is only held within one event, by a continuation that is still
   * to run.
   */
  const begin = async (): Promise<Transaction> => {
    if (isFineGrained) return beginBySeam('db BEGIN');
    for (;;) {
      const transaction = server.begin(() => undefined);
      if (transaction !== null) {
        onOpen?.(() => server.abort(transaction, idleTimeout()));
        return transaction;
      }
      await server.whenReleased();
    }
  };

  function connection(): object {
    let transaction: Transaction | null = null;
    return {
      async query(query: string | Query): Promise<StatementResult> {
        if (typeof query !== 'string') {
          const open = transaction!;
          return isFineGrained
            ? call(`db ${query.name ?? 'statement'}`, () => server.execute(open, query))
            : server.execute(open, query);
        }
        if (query.startsWith('BEGIN')) {
          transaction = await begin();
          return NOTHING;
        }
        const open = transaction;
        transaction = null;
        if (query === 'COMMIT') {
          if (server.isDown) server.rollback(open!);
          await call('db COMMIT', () => server.commit(open!));
        } else if (query === 'ROLLBACK') {
          if (open !== null) server.rollback(open);
        } else throw new Error(`the simulated database does not support "${query}"`);
        return NOTHING;
      },
      release() {
        if (transaction !== null) server.rollback(transaction);
      },
    };
  }

  const pool = {
    query: (query: string | Query): Promise<StatementResult> =>
      autoCommit(typeof query === 'string' ? { text: query } : query),
    // The pool has an idle connection. A new one costs a round trip only while the server is down.
    connect: (): Promise<object> =>
      isFineGrained || server.isDown ? call('db connect', connection) : Promise.resolve(connection()),
  };
  // The simulation has no row-level security. The tests of libs/store cover scopes.
  return {
    pool,
    query: (_scope: Scope, query: Query) => autoCommit(query),
    prisma: createPrismaTwin(),
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    close: () => Promise.resolve(),
  } as unknown as Store;
}

/** Named in the text of BEGIN, which the twin does not read. */
const STATEMENT_TIMEOUT_MS = 5_000;
const NOTHING: StatementResult = { rows: [], rowCount: 0 };
