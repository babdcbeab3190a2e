import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { findBeside } from '../packages/find-program.ts';

/** The tables of the modules that kamailio.cfg uses, after the one of their versions. */
const SCRIPTS = ['standard-create.sql', 'usrloc-create.sql', 'dialog-create.sql'];

/** Creates kamailio's tables from the scripts of its package, unless the database has them. */
export async function createKamailioTables(databaseUrl: string, program: { path: string }): Promise<void> {
  const folder = findBeside(program, 'share/kamailio/postgres');
  if (folder === undefined)
    throw new Error(`${program.path} has no scripts for Postgres. Install the package kamailio-postgres-modules.`);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ found: string | null }>(`SELECT to_regclass('dialog') AS found`);
    if (rows[0]?.found !== null) return;
    await client.query('BEGIN');
    for (const script of SCRIPTS) await client.query(readFileSync(join(folder, script), 'utf8'));
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
}
