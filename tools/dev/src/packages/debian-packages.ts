import { createHash } from 'node:crypto';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { cacheFolder } from '../workspace.ts';

/** Packages of Debian and Ubuntu that are unpacked together into one folder of the cache. */
export interface PackageSet {
  /** The name of the folder in the cache. */
  readonly name: string;
  readonly packages: readonly string[];
  /** The path of the program in the unpacked folder. */
  readonly program: string;
  /** The file beside the program that it is a link to, if the packages have no such link. */
  readonly linkTo?: string;
}

/** An unpacked program, and the environment variables with which it finds its libraries. */
export interface UnpackedProgram {
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
}

/** One unpacked package, as the manifest in the cache records it. */
interface ManifestEntry {
  package: string;
  version: string;
  sha256: string;
}

/** Lists the unpacked packages, in the root of the unpacked folder. */
const MANIFEST = 'packages.json';

/**
 * Library folders below `usr/lib/<triplet>`. The programs name some of them by the absolute path of
 * an installation.
 */
const LIBRARY_FOLDERS = ['', 'kamailio', 'pulseaudio'];

/** Returns the copy that an earlier run downloaded for this release of the system. */
export function findCachedProgram(set: PackageSet): UnpackedProgram | undefined {
  const root = cachedRoot(set);
  return existsSync(join(root, set.program)) ? describeProgram(set, root) : undefined;
}

/**
 * Downloads packages from the package sources of the system, without root and without an
 * installation. It uses a private copy of apt's state, and unpacks the packages and every package
 * that apt would install with them into the cache folder. apt verifies each download against the
 * signed index. A cached copy of other versions is replaced.
 */
export async function fetchProgram(set: PackageSet, log: (line: string) => void): Promise<UnpackedProgram> {
  for (const tool of ['apt-get', 'dpkg']) {
    if (!existsSync(join('/usr/bin', tool))) throw new Error(`this system has no ${tool}`);
  }
  const root = cachedRoot(set);
  const draft = mkdtempSync(`${root}-draft-`);
  try {
    const startedAt = performance.now();
    const manifest = await unpackInto(set, draft, log);
    const path = join(draft, 'root', set.program);
    if (set.linkTo !== undefined) symlinkSync(set.linkTo, path);
    if (!existsSync(path)) throw new Error(`the package ${set.packages.join(' or ')} contains no ${set.program}`);
    writeFileSync(join(draft, 'root', MANIFEST), manifest);
    moveIntoCache(draft, root, manifest);
    log(`Unpacked ${set.name} into ${root} in ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return describeProgram(set, root);
}

function moveIntoCache(draft: string, root: string, manifest: string): void {
  try {
    renameSync(join(draft, 'root'), root);
  } catch (error) {
    if (!existsSync(root)) throw error;
    // Another process finished the same download first.
    if (readManifest(root) === manifest) return;
    renameSync(root, join(draft, 'replaced'));
    renameSync(join(draft, 'root'), root);
  }
}

function readManifest(root: string): string | undefined {
  const file = join(root, MANIFEST);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** Returns the manifest of what was unpacked into `draft/root`. */
async function unpackInto(set: PackageSet, draft: string, log: (line: string) => void): Promise<string> {
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
  const names = await listMissingPackages(set, apt);
  const bytes = [...(await apt('download', '--print-uris', ...names)).matchAll(/^'\S+' \S+ (\d+)/gm)].reduce(
    (sum, [, size]) => sum + Number(size),
    0,
  );
  log(
    `Downloading ${set.name} once from the package sources of the system ` +
      `(${names.length} packages, ${(bytes / 1e6).toFixed(1)} MB) ...`,
  );
  await apt('download', ...names);
  const debs = globSync(join(draft, 'debs/*.deb')).toSorted();
  for (const deb of debs) await execa('dpkg', ['-x', deb, join(draft, 'root')]);
  return `${JSON.stringify(debs.map(describePackage), null, 2)}\n`;
}

/** Returns the packages of the set and every package that apt would install with them. */
async function listMissingPackages(
  set: PackageSet,
  apt: (...args: string[]) => Promise<string>,
): Promise<readonly string[]> {
  // Not `--print-uris`: it omits the packages that the system has downloaded before.
  const plan = await apt('install', '--simulate', '--no-install-recommends', '--reinstall', ...set.packages);
  const names = [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? '');
  return [...new Set([...set.packages, ...names])];
}

/** apt names a download `<package>_<version>_<architecture>.deb`, with `%3a` for a colon. */
function describePackage(deb: string): ManifestEntry {
  const [name = '', version = ''] = basename(deb).split('_');
  return {
    package: name,
    version: decodeURIComponent(version),
    sha256: createHash('sha256').update(readFileSync(deb)).digest('hex'),
  };
}

function cachedRoot(set: PackageSet): string {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const field = (name: string): string => new RegExp(`^${name}="?([^"\\n]*)`, 'm').exec(release)?.[1] ?? '';
  const folder = `${set.name}-${field('ID') || process.platform}-${field('VERSION_ID') || 'any'}-${process.arch}`;
  return join(cacheFolder(), folder);
}

function describeProgram(set: PackageSet, root: string): UnpackedProgram {
  // The name of the folder depends on the machine, e.g. x86_64-linux-gnu.
  const folders = ['usr/lib', 'lib'].flatMap((lib) => globSync(join(root, lib, '*-linux-gnu*')));
  const libraries = folders.flatMap((folder) => LIBRARY_FOLDERS.map((name) => join(folder, name))).filter(existsSync);
  const libraryPath = [...libraries, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  return { path: join(root, set.program), env: libraries.length > 0 ? { LD_LIBRARY_PATH: libraryPath } : {} };
}
