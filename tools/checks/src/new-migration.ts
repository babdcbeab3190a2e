import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { migrationsFolder } from '@partyline/dev/postgres/migrate';
import { inWorkspace, workspaceRoot } from '@partyline/dev/workspace';
import { schemaDiff } from './schema-engine.ts';

const SCHEMA = 'prisma/schema.prisma';

/** The schema of a commit; undefined when that commit has none. */
async function schemaAt(commit: string): Promise<string | undefined> {
  const git = (...args: string[]) => promisify(execFile)('git', args, { cwd: workspaceRoot, maxBuffer: 1 << 24 });
  const { stdout: listed } = await git('ls-tree', '--name-only', commit, '--', SCHEMA);
  return listed.trim() ? (await git('show', `${commit}:${SCHEMA}`)).stdout : undefined;
}

/**
 * Writes the migration from the schema of `commit` to the schema of the working tree.
 * @returns the new folder; undefined when the schemas are equal
 */
async function newMigration(name: string, now: Date, commit = 'HEAD'): Promise<string | undefined> {
  if (!/^[a-z0-9_]+$/.test(name)) {
    throw new Error(`"${name}" is not a migration name: use lower-case letters, digits and underscores.`);
  }
  const sql = await schemaDiff(await schemaAt(commit), await readFile(inWorkspace(SCHEMA), 'utf8'));
  if (!sql) return undefined;
  const stamp = now.toISOString().replace(/\D/g, '').slice(0, 14);
  const folder = join(migrationsFolder, `${stamp}_${name}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'migration.sql'), sql, { flag: 'wx' });
  return folder;
}

if (import.meta.main) {
  const [name, commit] = process.argv.slice(2);
  if (!name) throw new Error('Usage: npm run migration:new -- <name> [commit to compare with, HEAD if left out]');
  const folder = await newMigration(name, new Date(), commit);
  console.log(
    folder
      ? `wrote ${join(folder, 'migration.sql')}: review it before you commit it`
      : 'schema.prisma has not changed: no migration needed',
  );
}
