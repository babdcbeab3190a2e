import { homedir, tmpdir } from 'node:os';
import { accessSync, constants, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/**
 * The root folder of the checkout, derived from the path of this file, so that the tools run from
 * any folder.
 */
export const workspaceRoot = resolve(import.meta.dirname, '../../..');

/** Returns a path inside the checkout. */
export function inWorkspace(...parts: string[]): string {
  return join(workspaceRoot, ...parts);
}

/** Returns a gitignored folder for logs and kept databases, and creates it if necessary. */
export function stateFolder(...parts: string[]): string {
  const folder = inWorkspace('.partyline', ...parts);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Writes a file with secrets, which only this user can read. */
export function writePrivateFile(file: string, content: string): void {
  // `mode` applies only to a new file, and an earlier run may have left one.
  rmSync(file, { force: true });
  writeFileSync(file, content, { mode: 0o600 });
}

/**
 * Returns a cache folder that all checkouts of the user share. Falls back to the temp folder if
 * HOME is read-only.
 */
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
  throw new Error(
    `No cache folder is writable (tried ${base} and ${tmpdir()}). Set XDG_CACHE_HOME to a writable folder.`,
  );
}
