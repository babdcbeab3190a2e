import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { inWorkspace, workspaceRoot } from './workspace.ts';

const schema = inWorkspace('prisma/schema.prisma');
const generated = inWorkspace('libs/store/src/generated');
const stamp = inWorkspace('libs/store/src/generated/.schema-hash');

/** Generates the Prisma client into libs/store when the schema or Prisma's version changed; tells whether it did. */
export async function generateClient(): Promise<boolean> {
  const require = createRequire(import.meta.url);
  const { version } = require('prisma/package.json') as { version: string };
  const hash = createHash('sha256').update(version).update(readFileSync(schema)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return false;
  const cli = require.resolve('prisma/build/index.js');
  try {
    await promisify(execFile)(process.execPath, [cli, 'generate', '--config', inWorkspace('prisma/prisma.config.ts')], {
      cwd: workspaceRoot,
      env: {
        ...process.env,
        // Every Prisma command downloads a schema engine and stops without network, though `generate` never runs it: any executable will do.
        PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
        CHECKPOINT_DISABLE: '1',
      },
    });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(
      `Generating the Prisma client failed. Correct prisma/schema.prisma and run \`npm run generate\`.\n${stdout}${stderr}`,
      {
        cause: error,
      },
    );
  }
  if (!existsSync(generated)) {
    throw new Error(
      `Prisma generated no client in ${generated}: the generator's \`output\` in prisma/schema.prisma must point there.`,
    );
  }
  writeFileSync(stamp, hash);
  return true;
}

if (import.meta.main) await generateClient();
