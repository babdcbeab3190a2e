import type { Scope, Store } from '@partyline/store/store';
import type { Reply } from '../process.ts';
import { prismaTwin } from './prisma-twin.ts';
import { CORE, type Answer, type Twin } from './statements.ts';
import { SWEEPS } from './statements-of-sweeps.ts';
import { ConnectionError, DatabaseError, noChange, Tables, type Change } from './tables.ts';

/** How a caller reaches the database: a process's seam, or nothing at all in the differential test. */
export type DatabaseSeam = <T>(label: string, act: () => Reply<T>) => Promise<T>;

interface Query {
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

const brokenConnection = (): ConnectionError => new ConnectionError('ECONNRESET', 'Connection terminated unexpectedly');
const refusedConnection = (): ConnectionError => new ConnectionError('ECONNREFUSED', 'connect ECONNREFUSED');
const idleTooLong = (): DatabaseError => new DatabaseError('25P03', 'terminating connection due to idle-in-transaction timeout');

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
  down = false;
  /** After each commit; what it changed, with the rows as they were before. */
  onCommit: ((change: Change) => void) | undefined = undefined;
  /** A twin that is missing or fails: the simulation itself is wrong. */
  onBroken: ((error: unknown) => void) | undefined = undefined;
  /** Milliseconds for a round trip. */
  latency: () => number = () => 1;
  readonly #now: () => number;
  #lock: Transaction | null = null;
  #waiting: (() => void)[] = [];
  #breaks = 0;
  /** Commits of the last seconds, newest last, for the failover that loses them. */
  #recent: { at: number; change: Change }[] = [];
  /** Sessions of which a failover lost a change. */
  losses = 0;
  readonly lostSessions = new Set<string>();
  /** How far back a failover may lose commits; 0 keeps nothing. */
  keepMs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get breaks(): number {
    return this.#breaks;
  }

  date(): Date {
    return new Date(this.#now());
  }

  /** All connections end; open transactions are rolled back. */
  breakAll(): void {
    this.#breaks += 1;
    if (this.#lock !== null) this.abort(this.#lock, brokenConnection());
  }

  /** A standby takes over that never saw the commits of the last `ms`. */
  loseCommits(ms: number): number {
    this.breakAll();
    this.losses += 1;
    const since = this.#now() - ms;
    let lost = 0;
    while (this.#recent.length > 0 && this.#recent.at(-1)!.at >= since) {
      const { change } = this.#recent.pop()!;
      for (const id of change.sessions.keys()) this.lostSessions.add(id);
      for (const id of change.legs.keys()) this.lostSessions.add(this.tables.legs.get(id)?.session_id ?? '');
      for (const take of change.undo.toReversed()) take();
      lost += 1;
    }
    this.tables.change = noChange();
    return lost;
  }

  /** Gives the lock when it is free; `null` while somebody has it, and then `then` is called when it may be asked for again. */
  begin(then: () => void): Transaction | null {
    if (this.#lock !== null) {
      this.#waiting.push(then);
      return null;
    }
    this.#lock = { began: this.date(), change: noChange(), failed: false, over: undefined };
    this.tables.change = this.#lock.change;
    return this.#lock;
  }

  get locked(): boolean {
    return this.#lock !== null;
  }

  execute(transaction: Transaction, query: Query): Answer {
    if (transaction.over !== undefined) throw transaction.over;
    if (transaction.failed) throw new DatabaseError('25P02', 'current transaction is aborted');
    try {
      return runTwin(this.tables, query, { now: transaction.began, clock: this.date() });
    } catch (error) {
      if (!(error instanceof DatabaseError)) this.onBroken?.(error);
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
    if (this.keepMs > 0 && change.undo.length > 0) this.#keep(change);
    this.#release();
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
    while (this.#recent.length > 0 && this.#recent[0]!.at < at - this.keepMs) this.#recent.shift();
  }

  #release(): void {
    this.#lock = null;
    this.tables.change = noChange();
    // All of them ask again: one alone might be dead by now, and the rest would wait for ever.
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

/** One twin per statement name; those without a name go by their text. A test holds each against the real thing (twin.test.ts). */
export const TWINS: Readonly<Record<string, Twin>> = { ...CORE, ...SWEEPS };

/** The simulation does not know what libs/store asks: it must stop, or it would prove something else. */
export class UnknownStatement extends Error {}

function runTwin(tables: Tables, { name, text, values = [] }: Query, when: { now: Date; clock: Date }): Answer {
  const twin: Twin | undefined = TWINS[name ?? text];
  if (twin === undefined) throw new UnknownStatement(`the simulated database knows no statement ${name === undefined ? `"${text}"` : `called "${name}"`}: add its twin in tools/prove/src/simulation/database`);
  return twin(tables, values, when, text);
}

/**
 * A `Store` look-alike for one process.
 * @param fine each statement is its own seam call (kill points, interleavings); else a transaction runs in one go and only its beginning
 *   and its commit are, which is the same but for the instants inside it, at which a crash rolls back anyway
 */
export function openTwinStore(server: DatabaseServer, seam: DatabaseSeam, { fine = false, onOpen }: { fine?: boolean; onOpen?: (abort: () => void) => void } = {}): Store {
  const reach = <T>(label: string, act: () => T): Promise<T> => {
    let breaks = server.breaks;
    return seam<T>(label, () => {
      if (server.down) return { ms: server.latency(), error: refusedConnection() };
      breaks = server.breaks;
      return { ms: server.latency(), value: act() };
    }).then((value) => {
      // Done or not, the answer was under way when the connection broke.
      if (server.breaks !== breaks) throw brokenConnection();
      return value;
    });
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
        else onOpen?.(() => server.abort(transaction, idleTooLong()));
        return transaction;
      });
      if (got !== null) return got;
      await wait;
    }
  };

  async function autoCommit(query: Query): Promise<Answer> {
    if (fine && server.locked) {
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
      const transaction = server.begin(() => undefined);
      if (transaction === null) throw new Error('a statement met an open transaction: transactions are to run in one go here');
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

  function connection(): object {
    let transaction: Transaction | null = null;
    const act = <T>(label: string, what: () => T): Promise<T> => (fine ? reach(label, what) : new Promise((resolve) => resolve(what())));
    return {
      async query(query: string | Query): Promise<Answer> {
        if (typeof query === 'string' && query.startsWith('BEGIN')) {
          if (fine) transaction = await locked('db BEGIN');
          else {
            const began = server.begin(() => undefined);
            if (began === null) throw new Error('a transaction met another that is open: transactions are to run in one go here');
            onOpen?.(() => server.abort(began, idleTooLong()));
            transaction = began;
          }
          return NOTHING;
        }
        if (query === 'COMMIT') {
          const mine = transaction!;
          transaction = null;
          if (server.down) server.rollback(mine);
          await reach('db COMMIT', () => server.commit(mine));
          return NOTHING;
        }
        if (query === 'ROLLBACK') {
          const mine = transaction;
          transaction = null;
          if (mine !== null) server.rollback(mine);
          return NOTHING;
        }
        if (typeof query === 'string') throw new Error(`the simulated database knows no "${query}"`);
        const mine = transaction!;
        return act(`db ${query.name ?? 'statement'}`, () => server.execute(mine, query));
      },
      release() {
        if (transaction !== null) server.rollback(transaction);
      },
    };
  }

  const pool = {
    query: (query: string | Query): Promise<Answer> => autoCommit(typeof query === 'string' ? { text: query } : query),
    connect: (): Promise<object> => reach('db connect', connection),
  };
  // One process, one database without row-level security: that a scope shows its own rows and no others is libs/store's own test.
  return { pool, query: (_scope: Scope, query: Query) => autoCommit(query), prisma: prismaTwin(server.tables, reach), close: () => Promise.resolve() } as unknown as Store;
}

const NOTHING: Answer = { rows: [], rowCount: 0 };
