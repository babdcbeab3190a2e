import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { inWorkspace } from './workspace.ts';

const document = inWorkspace('docs/openapi.json');
const generated = inWorkspace('libs/sdk/src/generated');
const stamp = inWorkspace('libs/sdk/src/generated/.document-hash');

/**
 * Generates the types and calls of the SDK from docs/openapi.json if that file or the generator
 * changed.
 * @returns whether they were generated
 */
export async function generateSdk(): Promise<boolean> {
  const { version } = createRequire(import.meta.url)('@hey-api/openapi-ts/package.json') as { version: string };
  const hash = createHash('sha256')
    .update(version)
    .update(readFileSync(document))
    .update(readFileSync(import.meta.filename))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return false;
  // Loaded on demand, because loading takes a second.
  const { createClient } = await import('@hey-api/openapi-ts');
  rmSync(generated, { recursive: true, force: true });
  await createClient({
    input: document,
    output: { path: generated, entryFile: false, module: { extension: '.ts' } },
    plugins: [
      '@hey-api/typescript',
      { name: '@hey-api/client-fetch', throwOnError: true },
      { name: '@hey-api/sdk', responseStyle: 'data' },
    ],
    logs: { level: 'silent', file: false },
  });
  writeFileSync(stamp, hash);
  return true;
}

if (import.meta.main) await generateSdk();
