import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '@partyline/dev/postgres/migrate';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';

let database: TestDatabase;
let folder: string;

beforeEach(async () => {
  database = await createTestDatabase();
  folder = mkdtempSync(join(tmpdir(), 'partyline-migrations-'));
  await execute('DELETE FROM _prisma_migrations');
});

afterEach(async () => {
  rmSync(folder, { recursive: true });
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

function write(name: string, sql: string): void {
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, 'migration.sql'), sql);
}

test('migrations apply once and in order, whoever comes first', async () => {
  write('2_rows', 'INSERT INTO migrated (id) VALUES (1);');
  write(
    '1_table',
    'CREATE TABLE migrated (id int); CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END; $$;',
  );
  const runs = await Promise.all(Array.from({ length: 4 }, () => migrate(database.url, folder)));
  expect(runs.filter((applied) => applied.length > 0)).toEqual([['1_table', '2_rows']]);
  expect(await execute('SELECT id FROM migrated')).toEqual([{ id: 1 }]);
});

test('an edited migration is refused', async () => {
  write('1_table', 'CREATE TABLE migrated (id int);');
  await migrate(database.url, folder);
  write('1_table', 'CREATE TABLE migrated (id bigint);');
  await expect(migrate(database.url, folder)).rejects.toThrow('was edited after this database applied it');
});

test('a failed migration leaves nothing of itself, its reason on record, and blocks the next run', async () => {
  write('1_broken', 'CREATE TABLE half_done (id int); SELECT no_such_function();');
  await expect(migrate(database.url, folder)).rejects.toThrow('no_such_function');
  expect(await execute("SELECT to_regclass('half_done') AS found")).toEqual([{ found: null }]);
  expect(await execute('SELECT logs, finished_at FROM _prisma_migrations')).toEqual([
    { logs: expect.stringContaining('no_such_function') as unknown, finished_at: null },
  ]);
  await expect(migrate(database.url, folder)).rejects.toThrow('failed on this database before');
});
