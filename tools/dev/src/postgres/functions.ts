import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { inWorkspace } from '../workspace.ts';

/** The folder of the SQL functions: `<noun>/<name>.sql`, one function each. */
export const functionsFolder = inWorkspace('prisma/functions');

const HISTORY_TABLE = `CREATE TABLE IF NOT EXISTS _partyline_functions (
  name TEXT PRIMARY KEY,
  checksum VARCHAR(64) NOT NULL,
  applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
)`;

interface SqlFunction {
  /** `<noun>/<name>` */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, hexadecimal. */
  readonly checksum: string;
}

/** Reads the functions of a folder, sorted by name. */
export async function readFunctions(folder = functionsFolder): Promise<SqlFunction[]> {
  const files = await readdir(folder, { recursive: true });
  const names = files.filter((file) => file.endsWith('.sql')).map((file) => file.slice(0, -'.sql'.length));
  return Promise.all(
    names.toSorted().map(async (name) => {
      const bytes = await readFile(join(folder, `${name}.sql`));
      return { name, sql: bytes.toString(), checksum: createHash('sha256').update(bytes).digest('hex') };
    }),
  );
}

/**
 * Applies the functions whose files changed since this database applied them, in one transaction;
 * returns their names. The calling function holds the migration lock. A changed signature needs a
 * migration that drops the old function.
 */
export async function applyFunctions(client: pg.Client, folder = functionsFolder): Promise<string[]> {
  await client.query(HISTORY_TABLE);
  const history = await client.query<{ name: string; checksum: string }>(
    'SELECT name, checksum FROM _partyline_functions',
  );
  const applied = new Map(history.rows.map(({ name, checksum }) => [name, checksum]));
  const changed = (await readFunctions(folder)).filter(({ name, checksum }) => applied.get(name) !== checksum);
  if (changed.length === 0) return [];
  await client.query('BEGIN');
  try {
    // A new owner must be allowed to create in the schema.
    await client.query('GRANT CREATE ON SCHEMA public TO partyline_platform');
    // Functions call each other: the first pass creates them all, the second one checks their
    // bodies.
    for (const check of ['off', 'on']) {
      await client.query(`SET LOCAL check_function_bodies = ${check}`);
      for (const { name, sql } of changed) await apply(client, name, sql);
    }
    await client.query('REVOKE CREATE ON SCHEMA public FROM partyline_platform');
    await client.query(
      `INSERT INTO _partyline_functions (name, checksum)
       SELECT * FROM unnest($1::text[], $2::text[])
       ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, applied_at = now()`,
      [changed.map(({ name }) => name), changed.map(({ checksum }) => checksum)],
    );
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
  return changed.map(({ name }) => name);
}

async function apply(client: pg.Client, name: string, sql: string): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    throw new Error(`prisma/functions/${name}.sql failed: ${String(error)}. No function was changed.`, {
      cause: error,
    });
  }
}
