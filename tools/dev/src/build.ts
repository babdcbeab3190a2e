import { globSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { execa, ExecaError } from 'execa';
import { generateClient } from './generate.ts';
import type { Log } from './processes/processes.ts';
import { workspaceRoot } from './workspace.ts';

/**
 * Builds the services and their dependencies like `npm run build`, but without Nx: it takes a
 * fraction of a second when nothing changed. Prints nothing; an error contains the output of the
 * compiler.
 */
export async function buildApps({ log }: { log: Log }): Promise<void> {
  if (await generateClient()) log('The database client was generated.');
  const projects = globSync('apps/*/tsconfig.json', { cwd: workspaceRoot })
    .map((file) => dirname(file))
    .toSorted();
  const require = createRequire(import.meta.url);
  const tsc = join(dirname(require.resolve('@typescript/native/package.json')), 'bin/tsc');
  try {
    await execa(process.execPath, [tsc, '-b', ...projects], { cwd: workspaceRoot });
  } catch (error) {
    const output = error instanceof ExecaError ? `${error.stdout}${error.stderr}` : String(error);
    throw new Error(`The build failed. Correct these errors and try again:\n${output}`, { cause: error });
  }
}

if (import.meta.main) await buildApps({ log: console.error });
