import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writePrivateFile } from './workspace.ts';

it('writePrivateFile restricts a file that others could read to its user', () => {
  const folder = mkdtempSync(join(tmpdir(), 'partyline-'));
  const file = join(folder, 'running.json');
  writeFileSync(file, 'left by an earlier stack', { mode: 0o644 });
  writePrivateFile(file, 'secret');
  expect([readFileSync(file, 'utf8'), statSync(file).mode & 0o777]).toEqual(['secret', 0o600]);
  rmSync(folder, { recursive: true });
});
