import { homedir, tmpdir } from 'node:os';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The checkout's top folder; the tools are run from anywhere, so it is taken from this file's own place. */
export const workspaceRoot = resolve(import.meta.dirname, '../../..');

/** A path inside the checkout. */
export function inWorkspace(...parts: string[]): string {
  return join(workspaceRoot, ...parts);
}

/** The gitignored folder for what a run leaves behind on purpose: logs and kept databases. */
export function stateFolder(...parts: string[]): string {
  const folder = inWorkspace('.partyline', ...parts);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** The user's own cache folder: what is fetched once serves every checkout. Falls back to the temp folder where HOME is read-only. */
export function cacheFolder(...parts: string[]): string {
  const base = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  for (const candidate of [base, tmpdir()]) {
    const folder = join(candidate, 'partyline', ...parts);
    try {
      mkdirSync(folder, { recursive: true });
      accessSync(folder, constants.W_OK);
      return folder;
    } catch {
      continue;
    }
  }
  throw new Error(`No writable cache folder. Set XDG_CACHE_HOME to one (tried ${base} and ${tmpdir()}).`);
}
