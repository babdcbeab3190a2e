import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fetchProgram, findCachedProgram, type PackageSet } from './debian-packages.ts';

const SET: PackageSet = { name: 'hello', packages: ['partyline-test-hello'], program: 'usr/bin/partyline-test-hello' };

let folder: string;
const lines: string[] = [];
const log = (line: string): void => void lines.push(line);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'partyline-debian-packages-'));
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/**
 * Makes a repository on disk with one package the only source of the system, which allows unsigned
 * ones. It has no signature. @returns the file of the package
 */
async function useRepository(options: string): Promise<string> {
  const content = join(folder, 'content');
  mkdirSync(join(content, 'DEBIAN'), { recursive: true });
  mkdirSync(join(content, 'usr/bin'), { recursive: true });
  const control = [
    'Package: partyline-test-hello',
    'Version: 1.0',
    'Architecture: all',
    'Maintainer: Nobody <nobody@example.com>',
    'Description: A program that says hello',
  ];
  writeFileSync(join(content, 'DEBIAN/control'), `${control.join('\n')}\n`);
  writeFileSync(join(content, SET.program), '#!/bin/sh\necho hello\n', { mode: 0o755 });
  const repository = join(folder, 'repository');
  mkdirSync(repository);
  const deb = join(repository, 'partyline-test-hello_1.0_all.deb');
  await execa('dpkg-deb', ['--build', '--root-owner-group', content, deb]);
  const index = [
    ...control,
    'Filename: ./partyline-test-hello_1.0_all.deb',
    `Size: ${statSync(deb).size}`,
    `SHA256: ${createHash('sha256').update(readFileSync(deb)).digest('hex')}`,
  ];
  writeFileSync(join(repository, 'Packages'), `${index.join('\n')}\n`);
  const sources = join(folder, 'sources.list');
  writeFileSync(sources, `deb ${options} file:${repository} ./\n`);
  const config = join(folder, 'apt.conf');
  const settings = [
    `Dir::Etc::sourcelist "${sources}";`,
    'Dir::Etc::sourceparts "/dev/null";',
    'Acquire::AllowInsecureRepositories "true";',
    'APT::Get::AllowUnauthenticated "true";',
  ];
  writeFileSync(config, settings.join('\n'));
  vi.stubEnv('APT_CONFIG', config);
  return deb;
}

describe.skipIf(!existsSync('/usr/bin/apt-get'))('fetchProgram', () => {
  it('records the hash that the index has of each package, and of each unpacked file', async () => {
    const deb = await useRepository('[trusted=yes]');
    const { path } = await fetchProgram(SET, log);
    const root = path.slice(0, -SET.program.length);
    expect(JSON.parse(readFileSync(join(root, 'packages.json'), 'utf8'))).toEqual({
      packages: [
        {
          file: 'partyline-test-hello_1.0_all.deb',
          hash: `SHA256:${createHash('sha256').update(readFileSync(deb)).digest('hex')}`,
        },
      ],
      files: { [SET.program]: createHash('sha256').update('#!/bin/sh\necho hello\n').digest('hex') },
    });
    expect(await findCachedProgram(SET)).toMatchObject({ path });
  });

  it('refuses a package that is not the one of the index', async () => {
    const deb = await useRepository('[trusted=yes]');
    const bytes = readFileSync(deb);
    bytes[bytes.length - 20]! ^= 1;
    writeFileSync(deb, bytes);
    await expect(fetchProgram(SET, log)).rejects.toThrow(/^apt-get download failed: .*Hash Sum mismatch/s);
    expect(await findCachedProgram(SET)).toBeUndefined();
  });

  it('refuses a source that is not signed, also if the system allows it', async () => {
    await useRepository('');
    await expect(fetchProgram(SET, log)).rejects.toThrow(/The repository .* does not have a Release file/);
    expect(await findCachedProgram(SET)).toBeUndefined();
  });

  it.each<[change: string, named: RegExp, make: (path: string) => void]>([
    ['different', /usr\/bin\/partyline-test-hello is different/, (path) => appendFileSync(path, 'echo more\n')],
    ['missing', /usr\/bin\/partyline-test-hello is missing/, (path) => rmSync(path)],
    ['new', /usr\/bin\/partyline-test-hello\.so is new/, (path) => writeFileSync(`${path}.so`, '')],
    ['not listed', /it has no list of its files/, (path) => rmSync(join(path, '../../../packages.json'))],
  ])('rejects a cached copy with a file that is %s, and replaces it', async (_, named, change) => {
    await useRepository('[trusted=yes]');
    const { path } = await fetchProgram(SET, log);
    change(path);
    await expect(findCachedProgram(SET)).rejects.toThrow(named);
    await fetchProgram(SET, log);
    expect(await findCachedProgram(SET)).toMatchObject({ path });
  });
});
