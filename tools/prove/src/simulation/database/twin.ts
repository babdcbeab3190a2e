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

/** How a caller reaches the database: a process's seam, or nothing at all in the differential test. */
type DatabaseSeam = <T>(label: string, act: () => Reply<T>, lost?: () => Error | null) => Promise<T>;

interface Query {
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

const connectionReset = (): ConnectionError => new ConnectionError('ECONNRESET', 'Connection terminated unexpectedly');
const connectionRefused = (): ConnectionError => new ConnectionError('ECONNREFUSED', 'connect ECONNREFUSED');
const idleTimeout = (): DatabaseError =>
  new DatabaseError('25P03', 'terminating connection due to idle-in-transaction timeout');

/** One open transaction; `owner` is whoever may end it. */
interface Transaction {
  readonly began: Date;
  change: Change;
  failed: boolean;
  over: Error | undefined;
}

/**
 * The database server. Transactions run one after the other behind one fair lock, so what is lost against Postgres is waiting for rows of
 * different sessions side by side, and deadlocks; what stays is every order of whole transactions, crashes before and after each commit,
 * broken connections, commits whose answer is lost, and a failover that loses the last seconds.
 */
export class DatabaseServer {
  readonly tables = new Tables();
  /** Refuses everyone. */
  isDown = false;
  /** After each commit; what it changed, with the rows as they were before. */
  onCommit: ((change: Change) => void) | undefined = undefined;
  /** A twin that is missing or fails: the simulation itself is wrong. */
  onInternalError: ((error: unknown) => void) | undefined = undefined;
  /** Milliseconds for a round trip. */
  latency: () => number = () => 1;
  readonly #now: () => number;
  #date = new Date(0);
  #lock: Transaction | null = null;
  #waiting: (() => void)[] = [];
  #breaks = 0;
  /** Commits of the last seconds, newest last, for the failover that loses them. */
  #recent: { at: number; change: Change }[] = [];
  /** Sessions of which a failover lost a change. */
  failoverCount = 0;
  readonly lostSessions = new Set<string>();
  /** How far back a failover may lose commits; 0 keeps nothing. */
  keepCommitsMs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get breakCount(): number {
    return this.#breaks;
  }

  /** One object for all that happens at an instant: rows share it, and nobody alters it. */
  currentDate(): Date {
    const now = this.#now();
    if (this.#date.getTime() !== now) this.#date = new Date(now);
    return this.#date;
  }

  /** All connections end; open transactions are rolled back. */
  breakConnections(): void {
    this.#breaks += 1;
    if (this.#lock !== null) this.abort(this.#lock, connectionReset());
  }

  /** A standby takes over that never saw the commits of the last `ms`. */
  failOver(ms: number): number {
    this.breakConnections();
    this.failoverCount += 1;
    const since = this.#now() - ms;
    let lost = 0;
    while (this.#recent.length > 0 && this.#recent.at(-1)!.at >= since) {
      const { change } = this.#recent.pop()!;
      for (const id of change.sessions.keys()) this.lostSessions.add(id);
      for (const id of change.legs.keys()) this.lostSessions.add(this.tables.legs.get(id)?.session_id ?? '');
      for (const take of change.undo.toReversed()) take();
      lost += 1;
    }
    this.tables.change = new Change();
    return lost;
  }

  /** Gives the lock when it is free; `null` while somebody has it, and then `then` is called when it may be asked for again. */
  begin(then: () => void): Transaction | null {
    if (this.#lock !== null) {
      this.#waiting.push(then);
      return null;
    }
    this.#lock = { began: this.currentDate(), change: new Change(), failed: false, over: undefined };
    this.tables.change = this.#lock.change;
    return this.#lock;
  }

  get isLocked(): boolean {
    return this.#lock !== null;
  }

  /** When whoever has the lock now gives it up. */
  whenReleased(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  execute(transaction: Transaction, query: Query): StatementResult {
    if (transaction.over !== undefined) throw transaction.over;
    if (transaction.failed) throw new DatabaseError('25P02', 'current transaction is aborted');
    try {
      return executeTwin(this.tables, query, { now: transaction.began, clock: this.currentDate() });
    } catch (error) {
      if (!(error instanceof DatabaseError)) this.onInternalError?.(error);
      transaction.failed = true;
      throw error;
    }
  }

  commit(transaction: Transaction): void {
    if (transaction.over !== undefined) throw transaction.over;
    if (transaction.failed) {
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
    if (transaction.over !== undefined) return;
    transaction.over = new DatabaseError('25P01', 'there is no transaction in progress');
    for (const take of transaction.change.undo.toReversed()) take();
    this.#release();
  }

  /** Ends a transaction that its owner did not end: a killed process, a broken connection, one that sat idle. */
  abort(transaction: Transaction, why: Error): void {
    if (transaction.over !== undefined || this.#lock !== transaction) return;
    this.rollback(transaction);
    transaction.over = why;
  }

  #keep(change: Change): void {
    const at = this.#now();
    this.#recent.push({ at, change });
    while (this.#recent.length > 0 && this.#recent[0]!.at < at - this.keepCommitsMs) this.#recent.shift();
  }

  #release(): void {
    this.#lock = null;
    this.tables.change = new Change();
    // All of them ask again: one alone might be dead by now, and the rest would wait for ever.
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

/** One twin per statement name; those without a name go by their text. A test holds each against the real thing (twin.test.ts). */
const TWINS: Readonly<Record<string, StatementTwin>> = { ...CORE_TWINS, ...DUE_WORK_TWINS, ...BILLING_TWINS, ...INVENTORY_TWINS, ...DELIVERY_TWINS };

/** The simulation does not know what libs/store asks: it must stop, or it would prove something else. */
class UnknownStatementError extends Error {}

function executeTwin(tables: Tables, { name, text, values = [] }: Query, when: { now: Date; clock: Date }): StatementResult {
  const twin: StatementTwin | undefined = TWINS[name ?? text];
  if (twin === undefined)
    throw new UnknownStatementError(
      `the simulated database knows no statement ${name === undefined ? `"${text}"` : `called "${name}"`}: add its twin in tools/prove/src/simulation/database`,
    );
  return twin(tables, values, when, text);
}

/**
 * A `Store` look-alike for one process.
 * @param fine each statement is its own seam call (kill points, interleavings); else a transaction runs in one go and only its beginning
 *   and its commit are, which is the same but for the instants inside it, at which a crash rolls back anyway
 */
export function openTwinStore(
  server: DatabaseServer,
  seam: DatabaseSeam,
  { fine = false, onOpen }: { fine?: boolean; onOpen?: (abort: () => void) => void } = {},
): Store {
  const reach = <T>(label: string, act: () => T): Promise<T> => {
    let breaks = server.breakCount;
    return seam<T>(
      label,
      () => {
        if (server.isDown) return { ms: server.latency(), error: connectionRefused() };
        breaks = server.breakCount;
        return { ms: server.latency(), value: act() };
      },
      // Done or not, the answer was under way when the connection broke.
      () => (server.breakCount === breaks ? null : connectionReset()),
    );
  };
  /** Waits for the lock, asking again each time it was given up. */
  const locked = async (label: string): Promise<Transaction> => {
    for (;;) {
      let wait: Promise<void> | undefined;
      const got = await reach(label, () => {
        let wake = (): void => undefined;
        const transaction = server.begin(() => wake());
        if (transaction === null) wait = new Promise((resolve) => (wake = resolve));
        // At once: whoever dies before the answer comes must not keep the lock.
        else onOpen?.(() => server.abort(transaction, idleTimeout()));
        return transaction;
      });
      if (got !== null) return got;
      await wait;
    }
  };

  async function autoCommit(query: Query): Promise<StatementResult> {
    if (!fine) while (server.isLocked) await server.whenReleased();
    else if (server.isLocked) {
      const transaction = await locked(`db ${query.name ?? 'statement'}`);
      try {
        const result = server.execute(transaction, query);
        server.commit(transaction);
        return result;
      } catch (error) {
        server.rollback(transaction);
        throw error;
      }
    }
    return reach(`db ${query.name ?? 'statement'}`, () => {
      const transaction = server.begin(() => undefined)!;
      try {
        const result = server.execute(transaction, query);
        server.commit(transaction);
        return result;
      } catch (error) {
        server.rollback(transaction);
        throw error;
      }
    });
  }

  /** Where each statement is a seam call of its own, the lock is waited for by asking again; else it is only ever held within one event, by somebody whose turn is not over. */
  const begun = async (): Promise<Transaction> => {
    if (fine) return locked('db BEGIN');
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
          const mine = transaction!;
          return fine
            ? reach(`db ${query.name ?? 'statement'}`, () => server.execute(mine, query))
            : server.execute(mine, query);
        }
        if (query.startsWith('BEGIN')) {
          transaction = await begun();
          return NOTHING;
        }
        const mine = transaction;
        transaction = null;
        if (query === 'COMMIT') {
          if (server.isDown) server.rollback(mine!);
          await reach('db COMMIT', () => server.commit(mine!));
        } else if (query === 'ROLLBACK') {
          if (mine !== null) server.rollback(mine);
        } else throw new Error(`the simulated database knows no "${query}"`);
        return NOTHING;
      },
      release() {
        if (transaction !== null) server.rollback(transaction);
      },
    };
  }

  const pool = {
    query: (query: string | Query): Promise<StatementResult> => autoCommit(typeof query === 'string' ? { text: query } : query),
    // A connection lies ready, and costs a round trip only where there is no server.
    connect: (): Promise<object> =>
      fine || server.isDown ? reach('db connect', connection) : Promise.resolve(connection()),
  };
  // One process, one database without row-level security: that a scope shows its own rows and no others is libs/store's own test.
  return {
    pool,
    query: (_scope: Scope, query: Query) => autoCommit(query),
    prisma: createPrismaTwin(),
    close: () => Promise.resolve(),
  } as unknown as Store;
}

const NOTHING: StatementResult = { rows: [], rowCount: 0 };
