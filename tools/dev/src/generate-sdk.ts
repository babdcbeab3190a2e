import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { inWorkspace } from './workspace.ts';

const document = inWorkspace('docs/openapi.json');
const generated = inWorkspace('libs/sdk/src/generated');
const stamp = inWorkspace('libs/sdk/src/generated/.document-hash');

/** Generates the SDK's types and calls from docs/openapi.json when it or the generator changed; tells whether it did. */
export async function generateSdk(): Promise<boolean> {
  const { version } = createRequire(import.meta.url)('@hey-api/openapi-ts/package.json') as { version: string };
  const hash = createHash('sha256')
    .update(version)
    .update(readFileSync(document))
    .update(readFileSync(import.meta.filename))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return false;
  // Takes a second to load, so only when there is something to do.
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
