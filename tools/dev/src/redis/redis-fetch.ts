import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../workspace.ts';

const run = promisify(execFile);

/** On Debian and Ubuntu the server program travels in this package (`redis-check-rdb` is the same program under another name). */
const PACKAGE = 'redis-tools';

interface Unpacked {
  path: string;
  env: NodeJS.ProcessEnv;
}

/** The copy an earlier run fetched for this release of the system, if there is one. */
export function cachedRedis(): Unpacked | undefined {
  const root = join(cacheFolder(), folderName());
  return existsSync(join(root, 'usr/bin/redis-server')) ? unpacked(root) : undefined;
}

/**
 * Fetches Redis from the system's own package sources without root and without installing it: a private copy of apt's state, the package and
 * those of its dependencies that the system lacks, unpacked into the user's cache folder. Takes about two seconds.
 */
export async function fetchRedis(log: (line: string) => void): Promise<Unpacked> {
  for (const tool of ['apt-get', 'dpkg']) {
    if (!existsSync(join('/usr/bin', tool))) throw new Error(`this system has no ${tool}`);
  }
  const root = join(cacheFolder(), folderName());
  log('fetching Redis once from the system’s package sources …');
  const draft = mkdtempSync(`${root}-draft-`);
  try {
    await unpackInto(draft);
    symlinkSync('redis-check-rdb', join(draft, 'root/usr/bin/redis-server'));
    try {
      renameSync(join(draft, 'root'), root);
    } catch (error) {
      // Another process finished the same fetch first; its copy is as good.
      if (!cachedRedis()) throw error;
    }
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return unpacked(root);
}

async function unpackInto(draft: string): Promise<void> {
  for (const folder of ['lists/partial', 'cache/archives/partial', 'debs', 'root'])
    mkdirSync(join(draft, folder), { recursive: true });
  const options = [
    `Dir::State::lists=${join(draft, 'lists')}`,
    `Dir::Cache=${join(draft, 'cache')}`,
    'Dir::Cache::pkgcache=',
    'Dir::Cache::srcpkgcache=',
    `APT::Sandbox::User=${userInfo().username}`,
    'APT::Update::Post-Invoke::=',
    'Acquire::Languages=none',
    'Debug::NoLocking=1',
  ].flatMap((option) => ['-o', option]);
  const apt = async (...args: string[]): Promise<string> => {
    const env = { ...process.env, LC_ALL: 'C' };
    const { stdout } = await run('apt-get', ['-q', ...options, ...args], {
      cwd: join(draft, 'debs'),
      env,
      maxBuffer: 1 << 24,
    });
    return stdout;
  };
  // One unreachable source must not stop us: the one that carries Redis may be fine, and `download` tells.
  await apt('update').catch(() => undefined);
  await apt('download', ...(await missingPackages(apt)));
  for (const deb of globSync(join(draft, 'debs/*.deb'))) await run('dpkg', ['-x', deb, join(draft, 'root')]);
  if (!existsSync(join(draft, 'root/usr/bin/redis-check-rdb')))
    throw new Error(`the package ${PACKAGE} carries no server program here`);
}

/** Asks apt what it would install: the package itself and the libraries this system has not got. */
async function missingPackages(apt: (...args: string[]) => Promise<string>): Promise<string[]> {
  const plan = await apt('install', '--simulate', '--no-install-recommends', '--reinstall', PACKAGE);
  const names = [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? '');
  return [...new Set([PACKAGE, ...names])];
}

function folderName(): string {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const field = (name: string): string => new RegExp(`^${name}="?([^"\\n]*)`, 'm').exec(release)?.[1] ?? '';
  return `redis-${field('ID') || process.platform}-${field('VERSION_ID') || 'any'}-${process.arch}`;
}

function unpacked(root: string): Unpacked {
  // Debian's folder name for the machine, e.g. x86_64-linux-gnu; found rather than computed.
  const libraries = globSync(join(root, 'usr/lib/*-linux-gnu*'));
  const path = [...libraries, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  return { path: join(root, 'usr/bin/redis-server'), env: libraries.length > 0 ? { LD_LIBRARY_PATH: path } : {} };
}
