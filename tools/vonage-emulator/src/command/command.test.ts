import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'emulator-command-'));
const badJson = join(folder, 'bad.json');
const badField = join(folder, 'field.json');
const list = join(folder, 'list.json');
const occupant = createServer();

beforeAll(async () => {
  writeFileSync(badJson, '{"port":\n oops}');
  writeFileSync(badField, '{"clock":"fast"}');
  writeFileSync(list, '[]');
  occupant.listen(0, '127.0.0.1');
  await once(occupant, 'listening');
});
afterAll(() => {
  occupant.close();
  rmSync(folder, { recursive: true });
});

const run = (argv: readonly string[], env: Record<string, string> = {}): { status: number | null; stderr: string } =>
  spawnSync(process.execPath, [MAIN, ...argv], { encoding: 'utf8', timeout: 10_000, env: { ...process.env, ...env } });

describe('the command', () => {
  it.each([
    ['a missing file', ['--config', 'nofile'], /file nofile does not exist\. Correct --config/],
    ['a folder as file', ['--config', folder], /cannot be read .*Correct --config/],
    ['bad JSON', ['--config', badJson], /bad\.json is not JSON: /],
    ['a list as configuration', ['--config', list], /list\.json must be a JSON object/],
    ['a wrong field', ['--config', badField], /field\.json is invalid: clock: /],
    ['an unknown option', ['--foo'], /Unknown option '--foo'\. --help lists the options\./],
    ['an option without a value', ['--port'], /--port.*--help lists the options\./],
    ['a word that is no option', ['start'], /'start'.*--help lists the options\./],
    ['a port that is no number', ['--port', 'abc'], /--port must be a whole number from 0 to 65535, not "abc"\./],
    ['a port that is too large', ['--port', '65536'], /--port must be a whole number from 0 to 65535/],
    ['an unknown clock', ['--clock', 'fast'], /--clock must be real or virtual, not "fast"\./],
  ])('exits with 2 and one line for %s', (_, argv, line) => {
    const { status, stderr } = run(argv);
    expect(stderr).toMatch(line);
    expect([status, stderr.trimEnd().split('\n').length]).toEqual([2, 1]);
  });

  it('names the variable of a wrong value', () => {
    expect(run([], { VONAGE_EMULATOR_PORT: '' }).stderr).toMatch(/VONAGE_EMULATOR_PORT must be a whole number/);
  });

  it('exits with 1 and one line for a taken port', () => {
    const { port } = occupant.address() as AddressInfo;
    const { status, stderr } = run(['--port', String(port)]);
    expect([status, stderr]).toEqual([
      1,
      `vonage-emulator: Port ${port} of 127.0.0.1 is in use. Stop the program that uses it, or select another with --port.\n`,
    ]);
  });
});
