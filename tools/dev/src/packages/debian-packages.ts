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
import { join } from 'node:path';
import { execa, ExecaError } from 'execa';
import { cacheFolder } from '../workspace.ts';
import { findDifference, listFiles, type FileList } from './file-list.ts';

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

/** What was unpacked into a folder of the cache. */
interface Manifest {
  readonly packages: readonly { readonly file: string; readonly hash: string }[];
  /** Every unpacked file. */
  readonly files: FileList;
}

/** The name of the manifest, in the root of the unpacked folder. */
const MANIFEST = 'packages.json';

/** Copies that this process has compared with their manifest. */
const verified = new Set<string>();

/**
 * Library folders below `usr/lib/<triplet>`. The programs name some of them by the absolute path of
 * an installation.
 */
const LIBRARY_FOLDERS = ['', 'kamailio', 'pulseaudio'];

/**
 * Returns the copy that an earlier run downloaded for this release of the system. Each process
 * compares it once with what was unpacked then.
 * @throws Error if it has changed since
 */
export async function findCachedProgram(set: PackageSet): Promise<UnpackedProgram | undefined> {
  const root = cachedRoot(set);
  if (!existsSync(root)) return undefined;
  if (!verified.has(root)) {
    const change = await findChange(root);
    if (change !== undefined) throw new Error(`the copy of ${set.name} in ${root} is not verified: ${change}`);
    verified.add(root);
  }
  return describeProgram(set, root);
}

/**
 * Downloads packages from the package sources of the system, without root and without an
 * installation. It uses a private copy of apt's state, and unpacks the packages and every package
 * that apt would install with them into the cache folder. apt verifies the signature of each index,
 * and each download against the hash in the index, whatever the system's own settings allow. A
 * cached copy of other versions, or one that has changed, is replaced.
 */
export async function fetchProgram(set: PackageSet, log: (line: string) => void): Promise<UnpackedProgram> {
  for (const tool of ['apt-get', 'dpkg']) {
    if (!existsSync(join('/usr/bin', tool))) throw new Error(`this system has no ${tool}`);
  }
  const root = cachedRoot(set);
  const draft = mkdtempSync(`${root}-draft-`);
  try {
    const startedAt = performance.now();
    const packages = await unpackInto(set, draft, log);
    const unpacked = join(draft, 'root');
    const path = join(unpacked, set.program);
    if (set.linkTo !== undefined) symlinkSync(set.linkTo, path);
    if (!existsSync(path)) throw new Error(`the package ${set.packages.join(' or ')} contains no ${set.program}`);
    const manifest: Manifest = { packages, files: await listFiles(unpacked) };
    const text = `${JSON.stringify(manifest, null, 2)}\n`;
    writeFileSync(join(unpacked, MANIFEST), text);
    await moveIntoCache(draft, root, text);
    log(`Unpacked ${set.name} into ${root} in ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return describeProgram(set, root);
}

async function moveIntoCache(draft: string, root: string, manifest: string): Promise<void> {
  try {
    renameSync(join(draft, 'root'), root);
  } catch (error) {
    if (!existsSync(root)) throw error;
    // Another process finished the same download first.
    if (readManifest(root) === manifest && (await findChange(root)) === undefined) return;
    renameSync(root, join(draft, 'replaced'));
    renameSync(join(draft, 'root'), root);
  }
}

function readManifest(root: string): string | undefined {
  const file = join(root, MANIFEST);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** Describes the first difference between an unpacked folder and its manifest; undefined if there is none. */
async function findChange(root: string): Promise<string | undefined> {
  const { files } = JSON.parse(readManifest(root) ?? '{}') as Partial<Manifest>;
  if (files === undefined) return 'it has no list of its files';
  const { [MANIFEST]: _manifest, ...present } = await listFiles(root);
  return findDifference(files, present);
}

/**
 * Whatever the system allows. Only a source that is marked as trusted in the system's own list needs no signature.
 */
const SIGNED_ONLY = [
  'Acquire::AllowInsecureRepositories=false',
  'Acquire::AllowWeakRepositories=false',
  'Acquire::AllowDowngradeToInsecureRepositories=false',
  'APT::Get::AllowUnauthenticated=false',
];

/** Returns the packages that were unpacked into `draft/root`. */
async function unpackInto(set: PackageSet, draft: string, log: (line: string) => void): Promise<Manifest['packages']> {
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
    ...SIGNED_ONLY,
  ].flatMap((option) => ['-o', option]);
  const problems: string[] = [];
  const apt = async (...args: string[]): Promise<string> => {
    try {
      const { stdout } = await execa('apt-get', ['-q', ...options, ...args], {
        cwd: join(draft, 'debs'),
        env: { LC_ALL: 'C' },
      });
      return stdout;
    } catch (error) {
      if (!(error instanceof ExecaError)) throw error;
      problems.push(
        ...String(error.stderr)
          .split('\n')
          .filter((line) => /^[EW]: /.test(line)),
      );
      throw new Error(`apt-get ${args[0]} failed: ${problems.join(' ') || error.shortMessage}`, { cause: error });
    }
  };
  // Ignore unreachable sources: the one with the package may work, and otherwise `download` fails.
  await apt('update').catch(() => undefined);
  const names = await listMissingPackages(set, apt);
  const uris = await apt('download', '--print-uris', ...names);
  const downloads = [...uris.matchAll(/^'\S+' (\S+) (\d+) (\S+:[0-9a-f]+)$/gm)].map(
    ([, file = '', bytes, hash = '']) => ({ file, bytes: Number(bytes), hash }),
  );
  const megabytes = downloads.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
  log(
    `Downloading ${set.name} once from the package sources of the system ` +
      `(${downloads.length} packages, ${megabytes.toFixed(1)} MB) ...`,
  );
  await apt('download', ...names);
  const packages = downloads.map(({ file, hash }) => ({ file, hash })).toSorted((a, b) => (a.file < b.file ? -1 : 1));
  for (const { file } of packages) await execa('dpkg', ['-x', join(draft, 'debs', file), join(draft, 'root')]);
  return packages;
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
