import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { inWorkspace } from '../workspace.ts';

/** The advisory lock `prisma migrate deploy` itself takes: the two exclude each other. */
const LOCK = 72_707_369;

/** As Prisma makes it, so that `prisma migrate` on a networked machine reads and continues our history. */
const HISTORY_TABLE = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id VARCHAR(36) PRIMARY KEY NOT NULL,
  checksum VARCHAR(64) NOT NULL,
  finished_at TIMESTAMPTZ,
  migration_name VARCHAR(255) NOT NULL,
  logs TEXT,
  rolled_back_at TIMESTAMPTZ,
  started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  applied_steps_count INTEGER NOT NULL DEFAULT 0
)`;

interface Migration {
  name: string;
  sql: string;
  checksum: string;
}

interface Applied {
  migration_name: string;
  checksum: string;
  finished_at: Date | null;
}

/** Where the repository keeps its migrations. */
export const migrationsFolder = inWorkspace('prisma/migrations');

/** Reads the migrations of a folder in the order they apply. */
export async function readMigrations(folder = migrationsFolder): Promise<Migration[]> {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.toSorted().map(async (name) => {
      const bytes = await readFile(join(folder, name, 'migration.sql'));
      return { name, sql: bytes.toString(), checksum: createHash('sha256').update(bytes).digest('hex') };
    }),
  );
}

/**
 * Applies the migrations a database has not got, without Prisma's downloaded engine; returns their names.
 * Safe to run from several processes at once: one applies, the others wait and find nothing to do.
 */
export async function migrate(databaseUrl: string, folder = migrationsFolder): Promise<string[]> {
  const migrations = await readMigrations(folder);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const applied: string[] = [];
  try {
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    await client.query(HISTORY_TABLE);
    const history = await client.query<Applied>(
      'SELECT migration_name, checksum, finished_at FROM _prisma_migrations WHERE rolled_back_at IS NULL',
    );
    const known = new Map(history.rows.map((row) => [row.migration_name, row]));
    for (const migration of migrations) {
      if (isApplied(migration, known.get(migration.name))) continue;
      await apply(client, migration);
      applied.push(migration.name);
    }
  } finally {
    // Ending the session gives the lock back.
    await client.end();
  }
  return applied;
}

function isApplied(migration: Migration, row: Applied | undefined): boolean {
  if (!row) return false;
  if (!row.finished_at) {
    throw new Error(
      `Migration ${migration.name} failed on this database before. Repair what it left half done, delete its row from _prisma_migrations, and run again.`,
    );
  }
  if (row.checksum !== migration.checksum) {
    throw new Error(
      `Migration ${migration.name} was edited after this database applied it. Restore the file and put the change in a new migration (npm run migration:new).`,
    );
  }
  return true;
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  const id = randomUUID();
  await client.query('INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ($1, $2, $3)', [
    id,
    migration.checksum,
    migration.name,
  ]);
  try {
    // One simple query: the server runs a whole file as one implicit transaction.
    await client.query(migration.sql);
  } catch (error) {
    // A migration that opened its own transaction leaves it aborted; the note below needs a clean session.
    await client.query('ROLLBACK');
    await client.query('UPDATE _prisma_migrations SET logs = $2 WHERE id = $1', [id, String(error)]);
    throw new Error(
      `Migration ${migration.name} failed: ${String(error)}. Correct it and delete its row from _prisma_migrations.`,
      {
        cause: error,
      },
    );
  }
  await client.query('UPDATE _prisma_migrations SET finished_at = now(), applied_steps_count = 1 WHERE id = $1', [id]);
}

if (import.meta.main) {
  const url = process.env.DATABASE_URL;
  const asked = process.argv.slice(2).some((each) => each === '--help' || each === '-h');
  if (!url || asked) {
    console[asked ? 'log' : 'error'](
      'npm run migrate: applies to the database of DATABASE_URL whatever migrations it lacks. Set it, e.g. to postgresql://user:password@127.0.0.1:5432/partyline.',
    );
    process.exit(asked ? 0 : 2);
  }
  try {
    const applied = await migrate(url);
    console.log(applied.length > 0 ? `applied ${applied.join(', ')}` : 'nothing to apply: the database is up to date');
  } catch (error) {
    console.error((error as Error).message || String(error));
    process.exitCode = 1;
  }
}
