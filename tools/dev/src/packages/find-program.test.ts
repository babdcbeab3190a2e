import { chmodSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { findProgram, type ProgramSource } from './find-program.ts';

const SOURCE: ProgramSource = {
  title: 'SIPp (a SIP load generator)',
  variable: 'PARTYLINE_TEST_SIPP_BIN',
  commands: ['partyline-test-sipp'],
  versionArgs: ['-v'],
  versionPattern: /SIPp v([\d.]+\d)/,
  minVersion: '3.6',
  packages: { name: 'sipp', packages: ['sip-tester'], program: 'usr/bin/sipp' },
  advice: ['install it: `apt-get install sip-tester`'],
};
const ABSENT: ProgramSource = {
  ...SOURCE,
  packages: { name: 'absent', packages: ['partyline-test-no-such-package'], program: 'usr/bin/absent' },
};

let folder: string;
const ignore = (): void => undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'partyline-find-program-'));
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeScript(name: string, output: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\necho '${output}'\nexit 99\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('findProgram', () => {
  it('prefers the program of the environment variable', async () => {
    const path = writeScript('other-name', 'SIPp v3.7.1-TLS');
    vi.stubEnv(SOURCE.variable, path);
    expect(await findProgram(SOURCE, ignore)).toEqual({ path, env: {}, version: '3.7.1', from: 'environment' });
  });

  it('finds a program in a folder of PATH', async () => {
    const path = writeScript('partyline-test-sipp', 'SIPp v3.10.0');
    vi.stubEnv('PATH', `${folder}:/usr/bin:/bin`);
    expect(await findProgram(SOURCE, ignore)).toEqual({ path, env: {}, version: '3.10.0', from: 'system' });
  });

  it('rejects an environment variable that names an older version or no program', async () => {
    vi.stubEnv(SOURCE.variable, writeScript('old', 'SIPp v3.5.9'));
    await expect(findProgram(SOURCE, ignore)).rejects.toThrow(
      /^PARTYLINE_TEST_SIPP_BIN is \S+old, which has version 3\.5\.9, and Partyline requires 3\.6 or later\. Set it to/,
    );
    vi.stubEnv(SOURCE.variable, join(folder, 'nothing'));
    await expect(findProgram(SOURCE, ignore)).rejects.toThrow(/nothing, which cannot be executed\. Set it to/);
  });

  it('lists the ways to get a program that no source has, and older versions that it found', async () => {
    writeScript('partyline-test-sipp', 'SIPp v3.5.9');
    vi.stubEnv('PATH', `${folder}:/usr/bin:/bin`);
    await expect(findProgram(ABSENT, ignore)).rejects.toThrow(
      /^SIPp \(a SIP load generator\) was not found[^]*partyline-test-sipp has version 3\.5\.9[^]*apt-get install sip-tester[^]*set PARTYLINE_TEST_SIPP_BIN/,
    );
  });
});

/** Each test downloads the list of packages, which takes as long as the network does. */
const DOWNLOAD_TIMEOUT_MS = 300_000;

describe.skipIf(!existsSync('/usr/bin/apt-get'))('findProgram on Debian or Ubuntu', () => {
  it(
    'downloads once for two callers, records the packages, and leaves no other files',
    async () => {
      const lines: string[] = [];
      const [one, two] = await Promise.all([1, 2].map(() => findProgram(SOURCE, (line) => void lines.push(line))));
      expect(one).toMatchObject({ from: 'fetched', env: { LD_LIBRARY_PATH: expect.stringContaining('usr/lib/') } });
      expect(two?.path).toBe(one?.path);
      expect(await findProgram(SOURCE, ignore)).toEqual({ ...one, from: 'cache' });

      const root = join(dirname(one?.path ?? ''), '../..');
      const { packages } = JSON.parse(readFileSync(join(root, 'packages.json'), 'utf8')) as { packages: object[] };
      expect(packages).toContainEqual({
        file: expect.stringMatching(/^sip-tester_1%3a\d/),
        hash: expect.stringMatching(/^SHA\d+:[0-9a-f]{64,}$/),
      });
      expect(globSync(join(folder, 'cache/partyline/*'))).toEqual([join(root)]);
      expect(lines).toHaveLength(4);
      expect(lines[0]).toMatch(/^Downloading sipp once .* \(\d+ packages, [\d.]+ MB\) \.\.\.$/);
    },
    DOWNLOAD_TIMEOUT_MS,
  );

  it(
    'replaces a cached copy that has changed, and says so',
    async () => {
      const first = await findProgram(SOURCE, ignore);
      writeFileSync(first.path, 'not a program');
      const lines: string[] = [];
      expect(await findProgram(SOURCE, (line) => void lines.push(line))).toEqual({ ...first, from: 'fetched' });
      expect(lines[0]).toMatch(/^Not used: the copy of sipp in .* is not verified: usr\/bin\/sipp is different\.$/);
    },
    DOWNLOAD_TIMEOUT_MS,
  );
});
