import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inWorkspace, workspaceRoot } from '../workspace.ts';
import { findOldestNode } from './node-binary.ts';
import { packAll, type Tarball } from './pack.ts';
import { imageCommands, readManifest } from './packages.ts';
import { findVersionProblems, replaceVersion, versionedFiles } from './version.ts';

it('the API document, the packages and the changelog have one version', () => {
  expect(findVersionProblems()).toEqual([]);
});

it('a new version replaces the old one in every file, also in the names of tarballs', () => {
  const files = versionedFiles();
  expect(files).toEqual(expect.arrayContaining(['docs/cli.md', 'docs/sdk.md', 'docs/contributing.md']));
  const isOld = /partyline-[a-z-]+-(?!9\.8\.7)[\d.]+\.tgz|^ {2}"version": "(?!9\.8\.7")|VERSION = '(?!9\.8\.7')/m;
  expect(files.filter((file) => isOld.test(replaceVersion(readFileSync(inWorkspace(file), 'utf8'), '9.8.7')))).toEqual(
    [],
  );
});

it('the commands that build the images give each service this version, as its tag and its label', () => {
  const { version } = readManifest();
  const dockerfile = readFileSync(inWorkspace('deploy/Dockerfile'), 'utf8');
  expect(dockerfile).toContain('LABEL org.opencontainers.image.version=${VERSION}');
  const apps = globSync('apps/*/package.json', { cwd: workspaceRoot }).map((file) => basename(dirname(file)));
  const commands = imageCommands(version);
  expect(commands).toHaveLength(apps.length);
  for (const app of apps)
    expect(commands).toContainEqual(
      expect.stringMatching(
        new RegExp(`-f deploy/Dockerfile .*APP=${app} .*VERSION=${version} -t partyline/${app}:${version} \\.$`),
      ),
    );
});

/**
 * The Nodes to run on, separated by colons. By default this one and the oldest that the packages
 * support.
 */
const chosen = process.env['PARTYLINE_TEST_NODES'];
const programs = chosen ? chosen.split(':') : [process.execPath, findOldestNode()];
const nodes = await Promise.all(
  programs
    .filter((program) => program !== undefined)
    .map(async (program) => [(await execa(program, ['--version'])).stdout, program] as const),
);

describe('the packages, installed in an empty folder without a registry', () => {
  let folder: string;
  let tarballs: Tarball[];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'partyline-packed-'));
    tarballs = await packAll(join(folder, 'tarballs'));
    const consumer = join(folder, 'consumer');
    mkdirSync(consumer);
    writeFileSync(join(consumer, 'package.json'), JSON.stringify({ type: 'module', private: true }));
    // An empty cache and no network: what is missing in a tarball is missing.
    await execa(
      'npm',
      [
        'install',
        '--offline',
        '--cache',
        join(folder, 'cache'),
        '--no-audit',
        '--no-fund',
        ...tarballs.map(({ file }) => file),
      ],
      { cwd: consumer, timeout: 200_000 },
    );
  }, 280_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = async (node: string, args: string[], env: Record<string, string> = {}) =>
    execa(node, args, {
      cwd: join(folder, 'consumer'),
      env: { PATH: process.env['PATH'], HOME: folder, ...env },
      extendEnv: false,
      reject: false,
      timeout: 60_000,
    });
  const writeProgram = (name: string, lines: readonly string[]): string => {
    writeFileSync(join(folder, 'consumer', name), lines.join('\n'));
    return name;
  };

  it('have the names under which they are published', () => {
    expect(tarballs.map(({ name }) => name)).toEqual([
      '@partyline/sdk',
      '@partyline/vonage-emulator',
      '@partyline/cli',
    ]);
    for (const { unpackedBytes } of tarballs) expect(unpackedBytes).toBeLessThan(15_000_000);
  });

  it('have a README', () => {
    for (const { name } of tarballs)
      expect(readFileSync(join(folder, 'consumer/node_modules', name, 'README.md'), 'utf8')).toMatch(/^# /);
  });

  it.each(nodes)('the SDK runs on Node %s', async (_version, node) => {
    const program = writeProgram('sdk.js', [
      "import { Partyline } from '@partyline/sdk';",
      "import { PartylineError } from '@partyline/sdk/error';",
      "import { verifyWebhook } from '@partyline/sdk/webhook';",
      "const partyline = new Partyline({ baseUrl: 'http://127.0.0.1:1024', apiKey: 'pl_x', retries: 0 });",
      'const error = await partyline.rooms.list().page().catch((thrown) => thrown);',
      'console.log(error instanceof PartylineError, error.message, typeof verifyWebhook);',
    ]);
    expect(await run(node, [program])).toMatchObject({
      exitCode: 0,
      stdout: 'true http://127.0.0.1:1024 refused the connection. function',
    });
  });

  it.each(nodes)('the command line runs on Node %s', async (_version, node) => {
    const command = 'node_modules/.bin/partyline';
    const { version } = tarballs[2]!;
    expect(await run(node, [command, '--version'])).toMatchObject({ exitCode: 0, stdout: version });
    const list = await run(node, [command, 'rooms', 'list'], {
      PARTYLINE_URL: 'http://127.0.0.1:1024',
      PARTYLINE_KEY: 'pl_x',
    });
    expect([list.exitCode, list.stderr]).toEqual([5, expect.stringContaining('refused the connection')]);
  });

  it.each(nodes)('the emulator runs on Node %s, by its launcher and by its command', async (_version, node) => {
    const program = writeProgram('emulator.js', [
      "import { startEmulator } from '@partyline/vonage-emulator/launch';",
      "const emulator = await startEmulator({ clock: 'virtual' });",
      'console.log(JSON.stringify(await emulator.client.ledger()));',
      'await emulator.stop();',
    ]);
    const { exitCode, stdout } = await run(node, [program]);
    expect([exitCode, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ legs: [], up: 0 })]);
    expect(await run(node, ['node_modules/.bin/vonage-emulator', '--help'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('--host ADDRESS') as string,
    });
  });

  it('ship their types', async () => {
    const program = writeProgram('types.ts', [
      "import { Partyline } from '@partyline/sdk';",
      "import { startEmulator } from '@partyline/vonage-emulator/launch';",
      "const partyline = new Partyline({ baseUrl: 'https://api.example.com', apiKey: 'pl_x' });",
      "export const name: string = (await partyline.rooms.get('room_1')).room.name;",
      '// @ts-expect-error A name is no number.',
      "export const wrong: number = (await partyline.rooms.get('room_1')).room.name;",
      '// @ts-expect-error The emulator has no such setting.',
      'await startEmulator({ prot: 1 });',
    ]);
    const require = createRequire(import.meta.url);
    const tsc = join(dirname(require.resolve('@typescript/native/package.json')), 'bin/tsc');
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
    expect(
      await run(process.execPath, [tsc, ...options, '--typeRoots', inWorkspace('node_modules/@types'), program]),
    ).toMatchObject({ exitCode: 0, stdout: '' });
  });
});
