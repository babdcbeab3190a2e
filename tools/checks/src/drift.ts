import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { migrate } from '@partyline/dev/postgres/migrate';
import { startPostgres, type PostgresServer } from '@partyline/dev/postgres/postgres';
import { inWorkspace } from '@partyline/dev/workspace';
import pg from 'pg';
import { beyondPrisma } from './beyond-prisma.ts';
import { readCatalogue, type Catalogue } from './catalogue.ts';
import { dumpSchema } from './dump-schema.ts';
import { schemaDiff } from './schema-engine.ts';

/** The committed dump of what a new database holds, functions with their bodies. */
export const SCHEMA_DUMP = 'prisma/schema.sql';

/**
 * Compares what the migrations create with what schema.prisma describes; returns one line per
 * difference.
 * @param allowed objects that Prisma cannot express; each of them must exist
 */
export function compareCatalogues(migrated: Catalogue, schema: Catalogue, allowed: readonly string[]): string[] {
  const differences: string[] = [];
  for (const [name, definition] of schema) {
    const created = migrated.get(name);
    if (created === undefined) {
      differences.push(`${name}: is in schema.prisma, but no migration creates it (npm run migration:new writes one)`);
    } else if (created !== definition) {
      differences.push(`${name}: migrations create "${created}", schema.prisma describes "${definition}"`);
    }
  }
  for (const name of migrated.keys()) {
    if (schema.has(name) || allowed.includes(name)) continue;
    differences.push(
      `${name}: a migration creates it, but schema.prisma does not have it. ` +
        'If Prisma cannot express it, add it to tools/checks/src/beyond-prisma.ts',
    );
  }
  for (const name of allowed) {
    if (!migrated.has(name)) {
      differences.push(`${name}: is in tools/checks/src/beyond-prisma.ts, but no migration creates it`);
    }
    if (schema.has(name)) {
      differences.push(`${name}: schema.prisma can express it; remove it from tools/checks/src/beyond-prisma.ts`);
    }
  }
  return differences.toSorted();
}

/**
 * Compares two dumps; returns the first difference with its line number, or nothing when they are
 * equal.
 */
export function compareDumps(committed: string, actual: string): string[] {
  if (committed === actual) return [];
  const [ours, theirs] = [committed.split('\n'), actual.split('\n')];
  const line = ours.findIndex((text, index) => text !== theirs[index]);
  const at = line === -1 ? ours.length : line;
  return [
    `${SCHEMA_DUMP}:${at + 1}: has "${ours[at] ?? ''}", a new database has "${theirs[at] ?? ''}". ` +
      'Run npm run schema, review the difference, and commit it',
  ];
}

/** Dumps the schema of a new, migrated database. */
export async function dumpMigrated(postgres: PostgresServer): Promise<string> {
  return withDatabase(postgres, 'dump', async (url) => {
    await migrate(url);
    return dumpSchema(url);
  });
}

/** Compares the migrations with schema.prisma, and a new database with the committed dump. */
async function findDrift(postgres: PostgresServer): Promise<string[]> {
  const migrated = await withDatabase(postgres, 'migrated', async (url) => {
    await migrate(url);
    return { catalogue: await readCatalogue(url), dump: await dumpSchema(url) };
  });
  const schema = await withDatabase(postgres, 'schema', async (url) => {
    await execute(url, await schemaDiff(undefined, await readFile(inWorkspace('prisma/schema.prisma'), 'utf8')));
    return readCatalogue(url);
  });
  const loaded = await withDatabase(postgres, 'loaded', async (url) => {
    await execute(url, migrated.dump);
    return dumpSchema(url);
  });
  return [
    ...compareCatalogues(migrated.catalogue, schema, beyondPrisma),
    ...compareDumps(await readFile(inWorkspace(SCHEMA_DUMP), 'utf8'), migrated.dump),
    ...(loaded === migrated.dump ? [] : [`${SCHEMA_DUMP}: a database that loads it has another schema`]),
  ];
}

async function withDatabase<T>(
  postgres: PostgresServer,
  purpose: string,
  work: (url: string) => Promise<T>,
): Promise<T> {
  const name = `partyline_drift_${purpose}_${randomUUID().slice(0, 8)}`;
  try {
    return await work(await postgres.createDatabase(name));
  } finally {
    await postgres.dropDatabase(name);
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
      differences.length === 0
        ? `migrations, functions, schema.prisma and ${SCHEMA_DUMP} agree`
        : `${differences.length} differences`,
    );
    process.exitCode = differences.length === 0 ? 0 : 1;
  } finally {
    await postgres.stop();
  }
}
