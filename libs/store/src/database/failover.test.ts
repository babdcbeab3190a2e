import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openWriteCheck } from './check-writes.ts';
import { acquireLease } from './lease.ts';
import { EVERY_TENANT, inTransaction, openStore, readForTenant, type Store } from './store.ts';
import { freshId } from '../testing/fixtures.ts';

let database: TestDatabase;
let admin: pg.Client;
let store: Store;

beforeAll(async () => {
  database = await createTestDatabase();
  admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
});
afterEach(async () => {
  await store.close();
  await setReadOnly(false);
});
afterAll(async () => {
  await admin.end();
  await database.drop();
});

const MAX_CONNECTIONS = 4;
const open = (): Store => (store = openStore({ url: database.url, max: MAX_CONNECTIONS, onError: () => undefined }));

/** For new connections, like a demoted primary. The statement itself needs a writable session. */
async function setReadOnly(isReadOnly: boolean): Promise<void> {
  await admin.query(
    `BEGIN READ WRITE; ALTER DATABASE "${database.name}" SET default_transaction_read_only = ${isReadOnly ? 'on' : 'off'}; COMMIT`,
  );
}
const cutConnections = () =>
  admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()', [
    database.name,
  ]);
const write = (): Promise<boolean> => acquireLease(store, freshId('lease'), 1_000);
const writeInTransaction = (): Promise<unknown> =>
  inTransaction(store, EVERY_TENANT, (tx) =>
    tx.query('INSERT INTO lease (name, available_at) VALUES ($1, now())', [freshId('lease')]),
  );
const codeOf = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'done',
    (error: { code?: unknown }) => error.code,
  );

/** Opens every connection of the pool, runs `work` on some of them, and gives all back. */
async function fillPool(work: (connection: pg.PoolClient, index: number) => Promise<unknown>): Promise<void> {
  const connections = await Promise.all(Array.from({ length: MAX_CONNECTIONS }, () => store.pool.connect()));
  await Promise.all(connections.map(work));
  for (const connection of connections) connection.release();
}
const makeReadOnly = (connection: pg.PoolClient): Promise<unknown> =>
  connection.query('SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY');
async function countReadOnly(): Promise<number> {
  let count = 0;
  await fillPool(async (connection) => {
    const { rows } = await connection.query<{ on: boolean }>(
      `SELECT current_setting('transaction_read_only')::bool AS on`,
    );
    if (rows.some(({ on }) => on)) count += 1;
  });
  return count;
}

describe('a pool with some connections to a read-only server', () => {
  it.each([
    ['statements', write],
    ['transactions', writeInTransaction],
  ])('runs %s on another connection and drops the read-only ones', async (_kind, run) => {
    open();
    await fillPool((connection, index) => (index < 2 ? makeReadOnly(connection) : Promise.resolve()));
    const outcomes = await Promise.all(Array.from({ length: 12 }, () => codeOf(run())));
    expect(new Set(outcomes)).toEqual(new Set(['done']));
    expect(await countReadOnly()).toBe(0);
  });

  it('reads on none of them once one was found', async () => {
    open();
    await fillPool(makeReadOnly);
    await write();
    const readOnly = await readForTenant(
      store,
      'ten_a',
      (db) => db.$queryRaw<{ on: string }[]>`SELECT current_setting('transaction_read_only') AS on`,
    );
    expect(readOnly).toEqual([{ on: 'off' }]);
  });

  it('reports the state in its readiness check, which writes', async () => {
    open();
    const check = openWriteCheck(store);
    await check();
    await setReadOnly(true);
    await cutConnections();
    await expect.poll(() => codeOf(check()), { timeout: 20_000 }).toBe('25006');
    await setReadOnly(false);
    expect(await codeOf(check())).toBe('done');
  });
});

describe('a pool whose server became read-only', () => {
  it('rejects reads and writes, and recovers under traffic with every connection', async () => {
    open();
    await fillPool(() => Promise.resolve());
    await setReadOnly(true);
    await cutConnections();
    await expect.poll(() => codeOf(write()), { timeout: 20_000 }).toBe('25006');
    const read = readForTenant(store, 'ten_a', (db) => db.room.count());
    await expect(read).rejects.toThrow(/accepts no writes/);
    await Promise.all(Array.from({ length: 12 }, () => codeOf(write())));
    await setReadOnly(false);
    const outcomes = await Promise.all(Array.from({ length: 12 }, () => codeOf(write())));
    expect(new Set(outcomes)).toEqual(new Set(['done']));
    expect(await countReadOnly()).toBe(0);
  });

  it('drops the connections that were open before, though they still read', async () => {
    open();
    await fillPool((connection) => makeReadOnly(connection));
    await write();
    expect(await countReadOnly()).toBe(0);
  });
});

describe('a connection', () => {
  it('is closed after a statement timeout, and kept after an error of the statement', async () => {
    open();
    const pidOf = async (): Promise<number | undefined> =>
      (await store.query<{ pid: number }>(EVERY_TENANT, { text: 'SELECT pg_backend_pid() AS pid' })).rows[0]?.pid;
    const first = await pidOf();
    expect(await codeOf(store.query(EVERY_TENANT, { text: 'SELECT 1 / 0' }))).toBe('22012');
    expect(await pidOf()).toBe(first);
    const slow = inTransaction(store, EVERY_TENANT, async (tx) => {
      await tx.query('SET LOCAL statement_timeout = 10');
      await tx.query('SELECT pg_sleep(10)');
    });
    expect(await codeOf(slow)).toBe('57014');
    expect(await pidOf()).not.toBe(first);
  });

  it('has a longest life', () => {
    expect(open().pool.options.maxLifetimeSeconds).toBeLessThanOrEqual(600);
  });
});
