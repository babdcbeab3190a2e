import { writeFile } from 'node:fs/promises';
import { startPostgres } from '@partyline/dev/postgres/postgres';
import { inWorkspace } from '@partyline/dev/workspace';
import { dumpMigrated, SCHEMA_DUMP } from './drift.ts';

/** `npm run schema`: writes prisma/schema.sql from a new database. */
const postgres = await startPostgres();
try {
  await writeFile(inWorkspace(SCHEMA_DUMP), await dumpMigrated(postgres));
  console.log(`wrote ${SCHEMA_DUMP}`);
} finally {
  await postgres.stop();
}
