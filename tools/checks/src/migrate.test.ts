import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '@partyline/dev/postgres/migrate';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';

let database: TestDatabase;
let root: string;
let sources: { migrations: string; functions: string };

beforeEach(async () => {
  database = await createTestDatabase();
  root = mkdtempSync(join(tmpdir(), 'partyline-migrations-'));
  sources = { migrations: join(root, 'migrations'), functions: join(root, 'functions') };
  mkdirSync(sources.functions);
  await execute('DELETE FROM _prisma_migrations');
});

afterEach(async () => {
  rmSync(root, { recursive: true });
  await database.drop();
});

async function execute(sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

function writeMigration(name: string, sql: string): void {
  mkdirSync(join(sources.migrations, name), { recursive: true });
  writeFileSync(join(sources.migrations, name, 'migration.sql'), sql);
}

function writeFunction(name: string, body: string): void {
  mkdirSync(join(sources.functions, 'sample'), { recursive: true });
  writeFileSync(
    join(sources.functions, 'sample', `${name}.sql`),
    `CREATE OR REPLACE FUNCTION ${name}() RETURNS int LANGUAGE sql AS $$ ${body} $$;`,
  );
}

test('four processes that migrate at once apply each migration once and in order', async () => {
  writeMigration('2_rows', 'INSERT INTO migrated (id) VALUES (1);');
  writeMigration(
    '1_table',
    'CREATE TABLE migrated (id int); CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END; $$;',
  );
  const runs = await Promise.all(Array.from({ length: 4 }, () => migrate(database.url, sources)));
  expect(runs.filter((applied) => applied.length > 0)).toEqual([['1_table', '2_rows']]);
  expect(await execute('SELECT id FROM migrated')).toEqual([{ id: 1 }]);
});

test('rejects a migration that was edited after it was applied', async () => {
  writeMigration('1_table', 'CREATE TABLE migrated (id int);');
  await migrate(database.url, sources);
  writeMigration('1_table', 'CREATE TABLE migrated (id bigint);');
  await expect(migrate(database.url, sources)).rejects.toThrow('was edited after this database applied it');
});

test('a failed migration is rolled back, its error is stored, and the next run is rejected', async () => {
  writeMigration('1_broken', 'CREATE TABLE half_done (id int); SELECT no_such_function();');
  await expect(migrate(database.url, sources)).rejects.toThrow('no_such_function');
  expect(await execute("SELECT to_regclass('half_done') AS found")).toEqual([{ found: null }]);
  expect(await execute('SELECT logs, finished_at FROM _prisma_migrations')).toEqual([
    { logs: expect.stringContaining('no_such_function') as unknown, finished_at: null },
  ]);
  await expect(migrate(database.url, sources)).rejects.toThrow('failed on this database before');
});

test('rejects a database with a migration that this version does not have', async () => {
  writeMigration('1_table', 'CREATE TABLE migrated (id int);');
  await migrate(database.url, sources);
  rmSync(join(sources.migrations, '1_table'), { recursive: true });
  writeMigration('2_initial', 'CREATE TABLE other (id int);');
  await expect(migrate(database.url, sources)).rejects.toThrow(
    'This database has the migration 1_table, which this version of Partyline does not have.',
  );
  expect(await execute("SELECT to_regclass('other') AS found")).toEqual([{ found: null }]);
});

test('applies a function again when its file changes, and only then', async () => {
  writeFunction('one', 'SELECT 1');
  expect(await migrate(database.url, sources)).toEqual(['sample/one']);
  expect(await migrate(database.url, sources)).toEqual([]);
  writeFunction('one', 'SELECT 2');
  expect(await migrate(database.url, sources)).toEqual(['sample/one']);
  expect(await execute('SELECT one() AS value')).toEqual([{ value: 2 }]);
});

test('applies functions that call each other, whatever their names', async () => {
  writeFunction('a_caller', 'SELECT z_called()');
  writeFunction('z_called', 'SELECT 3');
  await migrate(database.url, sources);
  expect(await execute('SELECT a_caller() AS value')).toEqual([{ value: 3 }]);
});

test('a function that fails changes no other function', async () => {
  writeFunction('a_good', 'SELECT 1');
  writeFunction('b_bad', 'SELECT no_such_function()');
  await expect(migrate(database.url, sources)).rejects.toThrow('prisma/functions/sample/b_bad.sql failed');
  expect(await execute("SELECT to_regproc('a_good') AS found")).toEqual([{ found: null }]);
});
