import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { migrate } from '@partyline/dev/postgres/migrate';
import { startPostgres, type PostgresServer } from '@partyline/dev/postgres/postgres';
import { inWorkspace } from '@partyline/dev/workspace';
import pg from 'pg';
import { beyondPrisma } from './beyond-prisma.ts';
import { readCatalogue, type Catalogue } from './catalogue.ts';
import { schemaDiff } from './schema-engine.ts';

/**
 * Compares what the migrations make with what schema.prisma says; returns one line per difference.
 * What Prisma cannot express must stand in `allowed`, and what stands there must exist.
 */
export function compare(migrated: Catalogue, schema: Catalogue, allowed: readonly string[]): string[] {
  const differences: string[] = [];
  for (const [name, definition] of schema) {
    const made = migrated.get(name);
    if (made === undefined)
      differences.push(`${name}: in schema.prisma, made by no migration (npm run migration:new writes one)`);
    else if (made !== definition)
      differences.push(`${name}: migrations make «${made}», schema.prisma says «${definition}»`);
  }
  for (const name of migrated.keys()) {
    if (schema.has(name) || allowed.includes(name)) continue;
    differences.push(
      `${name}: made by a migration, not in schema.prisma; if Prisma cannot express it, add it to tools/checks/src/beyond-prisma.ts`,
    );
  }
  for (const name of allowed) {
    if (!migrated.has(name))
      differences.push(`${name}: stands in tools/checks/src/beyond-prisma.ts, but no migration makes it`);
    if (schema.has(name))
      differences.push(`${name}: schema.prisma can express it; take it out of tools/checks/src/beyond-prisma.ts`);
  }
  return differences.toSorted();
}

/** Makes one database from the migrations and one from schema.prisma, and compares them. */
async function findDrift(postgres: PostgresServer): Promise<string[]> {
  const run = randomUUID().slice(0, 8);
  const names = [`partyline_drift_migrated_${run}`, `partyline_drift_schema_${run}`] as const;
  try {
    const migrated = await postgres.createDatabase(names[0]);
    await migrate(migrated);
    const schema = await postgres.createDatabase(names[1]);
    await execute(schema, await schemaDiff(undefined, await readFile(inWorkspace('prisma/schema.prisma'), 'utf8')));
    return compare(await readCatalogue(migrated), await readCatalogue(schema), beyondPrisma);
  } finally {
    for (const name of names) await postgres.dropDatabase(name);
  }
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

if (import.meta.main) {
  const postgres = await startPostgres();
  try {
    const differences = await findDrift(postgres);
    for (const difference of differences) console.error(difference);
    console.log(
      differences.length === 0 ? 'the migrations make what schema.prisma says' : `${differences.length} differences`,
    );
    process.exitCode = differences.length === 0 ? 0 : 1;
  } finally {
    await postgres.stop();
  }
}
