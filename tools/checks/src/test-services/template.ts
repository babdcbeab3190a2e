import { createHash } from 'node:crypto';
import pg from 'pg';
import { readFunctions } from '@partyline/dev/postgres/functions';
import { migrate, readMigrations } from '@partyline/dev/postgres/migrate';
import type { PostgresServer } from '@partyline/dev/postgres/postgres';

/**
 * Arbitrary key of the advisory lock under which test runs on one server (DATABASE_URL) serialize
 * on the template.
 */
const TEMPLATE_LOCK_KEY = 4_711_001;

/**
 * Creates the migrated database that test files clone, unless an earlier run left it on a shared
 * server. Returns its name, which contains the checksum of migrations and functions, so a changed
 * file leads to a new template.
 */
export async function prepareTemplate(postgres: PostgresServer): Promise<string> {
  const hash = createHash('sha256');
  for (const file of [...(await readMigrations()), ...(await readFunctions())])
    hash.update(file.name).update(file.checksum);
  const name = `partyline_template_${hash.digest('hex').slice(0, 16)}`;
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK_KEY]);
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount) return name;
    const draft = `${name}_draft`;
    await postgres.dropDatabase(draft);
    await migrate(await postgres.createDatabase(draft));
    // Renamed last, so that an interrupted run leaves no incomplete template.
    await client.query(`ALTER DATABASE ${pg.escapeIdentifier(draft)} RENAME TO ${pg.escapeIdentifier(name)}`);
    return name;
  } finally {
    await client.end();
  }
}
