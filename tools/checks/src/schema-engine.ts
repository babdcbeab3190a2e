import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ok } from '@prisma/driver-adapter-utils';
import * as engine from '@prisma/schema-engine-wasm/schema_engine_bg';

const FILE = 'schema.prisma';

/*
 * The WebAssembly build of Prisma's schema engine; the native one must be downloaded. It compares
 * schema files without a database, but asks its adapter for a server version, so the adapter here
 * only answers that. It must not deploy: it splits SQL at semicolons, which breaks functions.
 */
const versionRow = ok({
  columnTypes: [5, 7, 0],
  columnNames: ['exists', 'version', 'numeric_version'],
  rows: [[true, 'PostgreSQL 15.0', 150_000]],
});
const nothing = ok(undefined);
const connection = {
  provider: 'postgres',
  adapterName: 'no-database',
  queryRaw: () => Promise.resolve(versionRow),
  executeRaw: () => Promise.resolve(ok(0)),
  executeScript: () => Promise.resolve(nothing),
  dispose: () => Promise.resolve(nothing),
  getConnectionInfo: () => ok({ schemaName: 'public', supportsRelationJoins: true }),
  errorRegistry: {},
};
const adapter = {
  provider: 'postgres',
  adapterName: 'no-database',
  connect: () => Promise.resolve(ok(connection)),
  connectToShadowDb: () => Promise.resolve(ok(connection)),
  errorRegistry: {},
};

let loaded: Promise<void> | undefined;

async function load(): Promise<void> {
  const require = createRequire(import.meta.url);
  const file = join(dirname(require.resolve('@prisma/schema-engine-wasm')), 'schema_engine_bg.wasm');
  const { instance } = await WebAssembly.instantiate(await readFile(file), { './schema_engine_bg.js': engine });
  engine.__wbg_set_wasm(instance.exports);
  (instance.exports.__wbindgen_start as () => void)();
}

/**
 * The SQL that changes a database from one schema to another.
 * @param from undefined: an empty database
 * @returns empty when the schemas are equal
 */
export async function schemaDiff(from: string | undefined, to: string): Promise<string> {
  await (loaded ??= load());
  const schemaEngine = await engine.SchemaEngine.new({ datamodels: [[FILE, to]] }, () => undefined, adapter);
  const datamodel = (content: string) => ({ tag: 'schemaDatamodel' as const, files: [{ path: FILE, content }] });
  const { stdout, exitCode } = await schemaEngine.diff({
    from: from === undefined ? { tag: 'empty' } : datamodel(from),
    to: datamodel(to),
    script: true,
    exitCode: true,
    filters: { externalTables: [], externalEnums: [] },
  });
  // With `exitCode`, 0 means no difference; the script is then only a comment.
  return exitCode === 0 ? '' : (stdout ?? '');
}
