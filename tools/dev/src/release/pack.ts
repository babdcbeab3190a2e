import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { execa, ExecaError } from 'execa';
import { generateSdk } from '../generate-sdk.ts';
import { inWorkspace, stateFolder, workspaceRoot } from '../workspace.ts';
import { readManifest, RELEASED, type Released } from './packages.ts';

/** What `npm pack` made of one package. */
export interface Tarball {
  readonly name: string;
  readonly version: string;
  /** Absolute path of the file. */
  readonly file: string;
  readonly bytes: number;
  readonly unpackedBytes: number;
  readonly files: number;
}

/**
 * Packs the released packages into tarballs that need no registry: each contains its dependencies.
 * @param destination the folder of the tarballs
 */
export async function packAll(destination: string): Promise<Tarball[]> {
  await generateSdk();
  mkdirSync(destination, { recursive: true });
  // Inside the checkout, where the compiler finds the types of Node.
  const work = mkdtempSync(join(stateFolder(), 'release-'));
  try {
    const tarballs: Tarball[] = [];
    for (const released of RELEASED) {
      await stagePackage(released, work);
      tarballs.push(await pack(join(work, released.name), destination));
    }
    return tarballs;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Writes the files of a package to `<work>/<name>`. */
async function stagePackage(released: Released, work: string): Promise<void> {
  const { name, folder, description, engines, exports = {}, bin = {} } = released;
  const stage = join(work, name);
  await compile(folder, join(stage, 'dist'));
  const { version, dependencies = {} } = readManifest(folder);
  const names = Object.keys(dependencies);
  for (const dependency of names) bundle(dependency, { folder: inWorkspace(folder), target: stage }, stage, work);
  const toExport = (path: string): object => ({ types: `./dist/${path}.d.ts`, default: `./dist/${path}.js` });
  const manifest = {
    name,
    version,
    description,
    type: 'module',
    engines: { node: engines },
    files: ['dist', 'CHANGELOG.md'],
    ...(Object.keys(exports).length > 0 && {
      exports: Object.fromEntries(Object.entries(exports).map(([from, path]) => [from, toExport(path)])),
    }),
    ...(Object.keys(bin).length > 0 && {
      bin: Object.fromEntries(Object.entries(bin).map(([command, path]) => [command, `dist/${path}.js`])),
    }),
    dependencies,
    bundleDependencies: names,
  };
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  cpSync(inWorkspace('CHANGELOG.md'), join(stage, 'CHANGELOG.md'));
  const readme = inWorkspace(`${folder}/README.md`);
  if (existsSync(readme)) cpSync(readme, join(stage, 'README.md'));
}

/** Compiles the sources of a package, without tests, to JavaScript and declarations. */
async function compile(folder: string, target: string): Promise<void> {
  const output = mkdtempSync(join(stateFolder(), 'compile-'));
  const config = join(output, 'tsconfig.json');
  writeFileSync(
    config,
    JSON.stringify({
      extends: inWorkspace(folder, 'tsconfig.json'),
      compilerOptions: {
        composite: false,
        incremental: false,
        tsBuildInfoFile: null,
        noEmit: false,
        declaration: true,
        sourceMap: false,
        allowImportingTsExtensions: false,
        rewriteRelativeImportExtensions: true,
        // Dependencies of the workspace resolve to their sources and are emitted too; they are not
        // copied.
        rootDir: workspaceRoot,
        outDir: output,
      },
      include: [inWorkspace(folder, 'src')],
      exclude: [inWorkspace(folder, 'src/**/*.test.ts'), inWorkspace(folder, 'src/testing')],
      references: [],
    }),
  );
  const require = createRequire(import.meta.url);
  const tsc = join(dirname(require.resolve('@typescript/native/package.json')), 'bin/tsc');
  try {
    await execa(process.execPath, [tsc, '-p', config], { cwd: workspaceRoot });
    cpSync(join(output, folder, 'src'), target, { recursive: true });
  } catch (error) {
    const text = error instanceof ExecaError ? `${error.stdout}${error.stderr}` : String(error);
    throw new Error(`${folder} does not compile:\n${text}`, { cause: error });
  } finally {
    rmSync(output, { recursive: true, force: true });
  }
  // The compiler rewrites `.ts` in code only; consumers without our sources need it in
  // declarations.
  for (const file of globSync('**/*.d.ts', { cwd: target })) {
    const path = join(target, file);
    writeFileSync(
      path,
      readFileSync(path, 'utf8').replaceAll(/(from |import\()(['"])(\.[^'"]+)\.ts\2/g, '$1$2$3.js$2'),
    );
  }
}

/** Folders of a dependency that its users do not need. */
const isNeeded =
  (root: string) =>
  (source: string): boolean => {
    const path = relative(root, source);
    return (
      !/^(test|tests|__tests__|benchmarks?|docs|examples|src\/.*\.test\.ts)$/.test(path) &&
      !source.endsWith('.map') &&
      (path === '' || basename(source) !== 'node_modules')
    );
  };

interface Dependent {
  /** Where it is installed in the checkout; its dependencies are looked up from there. */
  readonly folder: string;
  /** Where it is in the package. */
  readonly target: string;
}

/**
 * Copies a dependency and all of its own into `node_modules` of the package, as npm does: at the
 * top, or inside the dependent package where the top has another version.
 */
function bundle(name: string, dependent: Dependent, stage: string, work: string): void {
  const released = RELEASED.find((each) => each.name === name);
  const source = released === undefined ? findPackage(name, dependent.folder) : join(work, name);
  const { version, dependencies = {} } = readPackage(source);
  const top = join(stage, 'node_modules', name);
  const isTaken = existsSync(top);
  if (isTaken && readPackage(top).version === version) return;
  const target = isTaken ? join(dependent.target, 'node_modules', name) : top;
  if (existsSync(target)) return;
  cpSync(source, target, { recursive: true, dereference: true, filter: isNeeded(source) });
  const folder = released === undefined ? source : inWorkspace(released.folder);
  for (const dependency of Object.keys(dependencies)) bundle(dependency, { folder, target }, stage, work);
}

const readPackage = (folder: string): { version: string; dependencies?: Record<string, string> } =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as ReturnType<typeof readPackage>;

/**
 * Finds an installed package as Node does: in the node_modules of the folder or of one above it.
 */
function findPackage(name: string, folder: string): string {
  for (let at = realpathSync(folder); at.startsWith(realpathSync(workspaceRoot)); at = dirname(at)) {
    const candidate = join(at, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return realpathSync(candidate);
  }
  throw new Error(`${name} is not installed. Run npm ci.`);
}

async function pack(stage: string, destination: string): Promise<Tarball> {
  const { stdout } = await execa(
    'npm',
    ['pack', '--json', '--offline', '--ignore-scripts', '--pack-destination', destination],
    {
      cwd: stage,
    },
  );
  const [packed] = JSON.parse(stdout) as [
    { name: string; version: string; filename: string; size: number; unpackedSize: number; entryCount: number },
  ];
  return {
    name: packed.name,
    version: packed.version,
    file: join(destination, packed.filename),
    bytes: packed.size,
    unpackedBytes: packed.unpackedSize,
    files: packed.entryCount,
  };
}
