import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { cacheFolder } from '../workspace.ts';

/**
 * The Debian and Ubuntu package with the server program (`redis-check-rdb` is the same program
 * under another name).
 */
const PACKAGE = 'redis-tools';

interface Unpacked {
  path: string;
  env: NodeJS.ProcessEnv;
}

/** Returns the copy that an earlier run downloaded for this release of the system. */
export function findCachedRedis(): Unpacked | undefined {
  const root = join(cacheFolder(), folderName());
  return existsSync(join(root, 'usr/bin/redis-server')) ? describeUnpacked(root) : undefined;
}

/**
 * Downloads Redis from the package sources of the system, without root and without an installation.
 * It uses a private copy of apt's state, and unpacks the package and its missing dependencies into
 * the cache folder. Takes about two seconds.
 */
export async function fetchRedis(log: (line: string) => void): Promise<Unpacked> {
  for (const tool of ['apt-get', 'dpkg']) {
    if (!existsSync(join('/usr/bin', tool))) throw new Error(`this system has no ${tool}`);
  }
  const root = join(cacheFolder(), folderName());
  log('Downloading Redis once from the package sources of the system ...');
  const draft = mkdtempSync(`${root}-draft-`);
  try {
    await unpackInto(draft);
    symlinkSync('redis-check-rdb', join(draft, 'root/usr/bin/redis-server'));
    try {
      renameSync(join(draft, 'root'), root);
    } catch (error) {
      // Another process finished the same download first.
      if (!findCachedRedis()) throw error;
    }
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return describeUnpacked(root);
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
    const { stdout } = await execa('apt-get', ['-q', ...options, ...args], {
      cwd: join(draft, 'debs'),
      env: { LC_ALL: 'C' },
    });
    return stdout;
  };
  // Ignore unreachable sources: the source with Redis may work, and otherwise `download` fails.
  await apt('update').catch(() => undefined);
  await apt('download', ...(await missingPackages(apt)));
  for (const deb of globSync(join(draft, 'debs/*.deb'))) await execa('dpkg', ['-x', deb, join(draft, 'root')]);
  if (!existsSync(join(draft, 'root/usr/bin/redis-check-rdb')))
    throw new Error(`the package ${PACKAGE} contains no server program`);
}

/** Returns the package and the libraries that apt would install with it. */
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

function describeUnpacked(root: string): Unpacked {
  // The name depends on the machine, e.g. x86_64-linux-gnu.
  const libraries = globSync(join(root, 'usr/lib/*-linux-gnu*'));
  const path = [...libraries, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  return { path: join(root, 'usr/bin/redis-server'), env: libraries.length > 0 ? { LD_LIBRARY_PATH: path } : {} };
}
