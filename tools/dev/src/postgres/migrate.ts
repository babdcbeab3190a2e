import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { inWorkspace } from '../workspace.ts';
import { applyFunctions, functionsFolder } from './functions.ts';

/** The advisory lock that `prisma migrate deploy` takes: both commands exclude each other. */
const LOCK = 72_707_369;

/**
 * The table as Prisma creates it, so that `prisma migrate deploy` reads and continues the same
 * history.
 */
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
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, hexadecimal. */
  readonly checksum: string;
}

interface AppliedMigration {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished_at: Date | null;
}

/** The folders that `migrate` reads. */
interface Sources {
  readonly migrations?: string;
  readonly functions?: string;
}

/** The folder of the migrations: `<timestamp>_<name>/migration.sql`. */
export const migrationsFolder = inWorkspace('prisma/migrations');

/** Reads the migrations of a folder in the order in which they apply. */
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
 * Applies the migrations that a database lacks, then the SQL functions whose files changed.
 * Returns their names.
 * Needs no Prisma engine. Several processes can run it at once: one applies, the others wait and
 * find nothing to do.
 */
export async function migrate(
  databaseUrl: string,
  { migrations: folder = migrationsFolder, functions = functionsFolder }: Sources = {},
): Promise<string[]> {
  const migrations = await readMigrations(folder);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const applied: string[] = [];
  try {
    await assertDirectConnection(client);
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    await client.query(HISTORY_TABLE);
    const history = await client.query<AppliedMigration>(
      'SELECT migration_name, checksum, finished_at FROM _prisma_migrations WHERE rolled_back_at IS NULL',
    );
    const known = new Map(history.rows.map((row) => [row.migration_name, row]));
    assertKnownHistory(history.rows, migrations);
    for (const migration of migrations) {
      if (isApplied(migration, known.get(migration.name))) continue;
      await apply(client, migration);
      applied.push(migration.name);
    }
    applied.push(...(await applyFunctions(client, functions)));
  } finally {
    // The end of the database session releases the lock.
    await client.end();
  }
  return applied;
}

/**
 * The lock belongs to a session, and a pooler in transaction mode gives each transaction another
 * one: the lock would stay there. A pooler shows a process id of its own.
 */
async function assertDirectConnection(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  if (rows[0]?.pid === (client as unknown as { processID: number }).processID) return;
  throw new Error(
    'DATABASE_URL is the address of a pooler (PgBouncer). ' +
      'Migrations need a session of their own: set DATABASE_URL to the direct address of the server.',
  );
}

function assertKnownHistory(history: readonly AppliedMigration[], migrations: readonly Migration[]): void {
  const names = new Set(migrations.map(({ name }) => name));
  const unknown = history.find(({ migration_name }) => !names.has(migration_name));
  if (unknown === undefined) return;
  throw new Error(
    `This database has the migration ${unknown.migration_name}, which this version of Partyline does not have. ` +
      'Databases of unreleased or newer versions cannot be migrated. Create an empty database and run again.',
  );
}

function isApplied(migration: Migration, row: AppliedMigration | undefined): boolean {
  if (!row) return false;
  if (!row.finished_at) {
    throw new Error(
      `Migration ${migration.name} failed on this database before. ` +
        'Repair its partial changes, delete its row from _prisma_migrations, and run again.',
    );
  }
  if (row.checksum !== migration.checksum) {
    throw new Error(
      `Migration ${migration.name} was edited after this database applied it. ` +
        'Restore the file and put the change in a new migration (npm run migration:new).',
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
    // One simple query: the server runs the whole file as one implicit transaction.
    await client.query(migration.sql);
  } catch (error) {
    // A migration that opened its own transaction leaves it aborted; the update below needs a clean
    // session.
    await client.query('ROLLBACK');
    await client.query('UPDATE _prisma_migrations SET logs = $2 WHERE id = $1', [id, String(error)]);
    throw new Error(
      `Migration ${migration.name} failed: ${String(error)}. Correct it and delete its row from _prisma_migrations.`,
      { cause: error },
    );
  }
  await client.query('UPDATE _prisma_migrations SET finished_at = now(), applied_steps_count = 1 WHERE id = $1', [id]);
}

const USAGE = `npm run migrate: applies missing migrations and changed SQL functions to the database of DATABASE_URL.
Set DATABASE_URL, for example to postgresql://user:password@127.0.0.1:5432/partyline.`;

if (import.meta.main) {
  const url = process.env.DATABASE_URL;
  const wantsHelp = process.argv.slice(2).some((argument) => argument === '--help' || argument === '-h');
  if (!url || wantsHelp) {
    console[wantsHelp ? 'log' : 'error'](USAGE);
    process.exit(wantsHelp ? 0 : 2);
  }
  try {
    const applied = await migrate(url);
    console.log(applied.length > 0 ? `applied ${applied.join(', ')}` : 'nothing to apply: the database is up to date');
  } catch (error) {
    console.error((error as Error).message || String(error));
    process.exitCode = 1;
  }
}
