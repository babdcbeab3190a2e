import { createHash } from 'node:crypto';
import pg from 'pg';
import { readFunctions } from '@partyline/dev/postgres/functions';
import { migrate, readMigrations } from '@partyline/dev/postgres/migrate';
import type { PostgresServer } from '@partyline/dev/postgres/postgres';

/** Any number: two test runs that share a server (DATABASE_URL) make the template one after the other. */
const LOCK = 4_711_001;

/**
 * Makes the migrated database that test files clone, or finds the one an earlier run left on a shared server; returns its name.
 * The name carries the migrations' checksum, so an edited migration gets a new template.
 */
export async function prepareTemplate(postgres: PostgresServer): Promise<string> {
  const hash = createHash('sha256');
  for (const file of [...(await readMigrations()), ...(await readFunctions())]) hash.update(file.name).update(file.checksum);
  const name = `partyline_template_${hash.digest('hex').slice(0, 16)}`;
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount) return name;
    const draft = `${name}_draft`;
    await postgres.dropDatabase(draft);
    await migrate(await postgres.createDatabase(draft));
    // Renamed only when whole: a run that dies half way leaves no template that looks finished.
    await client.query(`ALTER DATABASE ${pg.escapeIdentifier(draft)} RENAME TO ${pg.escapeIdentifier(name)}`);
    return name;
  } finally {
    await client.end();
  }
}
