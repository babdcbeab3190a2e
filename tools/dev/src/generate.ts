import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { inWorkspace, workspaceRoot } from './workspace.ts';

const schema = inWorkspace('prisma/schema.prisma');
const generated = inWorkspace('libs/store/src/generated');
const stamp = inWorkspace('libs/store/src/generated/.schema-hash');

/**
 * Generates the Prisma client into libs/store if the schema or the version of Prisma changed.
 * @returns whether it was generated
 */
export async function generateClient(): Promise<boolean> {
  const require = createRequire(import.meta.url);
  const { version } = require('prisma/package.json') as { version: string };
  const hash = createHash('sha256').update(version).update(readFileSync(schema)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return false;
  const cli = require.resolve('prisma/build/index.js');
  // Loaded on demand, because most calls have nothing to generate.
  const { execa, ExecaError } = await import('execa');
  try {
    await execa(process.execPath, [cli, 'generate', '--config', inWorkspace('prisma/prisma.config.ts')], {
      cwd: workspaceRoot,
      env: {
        // Every Prisma command downloads a schema engine, and fails without a network. `generate`
        // never runs the engine, so any executable serves.
        PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
        CHECKPOINT_DISABLE: '1',
      },
    });
  } catch (error) {
    const output = error instanceof ExecaError ? `${error.stdout}${error.stderr}` : String(error);
    throw new Error(
      `The Prisma client could not be generated. Correct prisma/schema.prisma and run \`npm run generate\`.\n${output}`,
      {
        cause: error,
      },
    );
  }
  if (!existsSync(generated)) {
    throw new Error(
      `Prisma generated no client in ${generated}. ` +
        'Set `output` of the generator in prisma/schema.prisma to this folder.',
    );
  }
  writeFileSync(stamp, hash);
  return true;
}

if (import.meta.main) await generateClient();
