import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { inWorkspace, workspaceRoot } from '../workspace.ts';
import { readManifest } from './packages.ts';

/** Constants that programs report; a build of one service has no other package.json to read. */
const CONSTANTS = ['apps/room-api/src/version.ts', 'libs/sdk/src/version.ts'];
/** The pages that name a tarball with its version. */
const pages = (): string[] => globSync('{docs/*.md,README.md}', { cwd: workspaceRoot }).toSorted();
const TARBALL = /(partyline-[a-z-]+-)(\d+\.\d+\.\d+)(?=\.tgz)/g;
const manifests = (): string[] => [
  'package.json',
  ...globSync('{apps,libs,libs/providers,tools}/*/package.json', { cwd: workspaceRoot }).toSorted(),
];
const read = (file: string): string => readFileSync(inWorkspace(file), 'utf8');

/** The version of this checkout. */
export const readVersion = (): string => readManifest().version;

/** Lists every file whose version is not that of the checkout. */
export function findVersionProblems(): string[] {
  const version = readVersion();
  const found = [
    ...manifests().map((file) => {
      const { version: own, dependencies = {} } = JSON.parse(read(file)) as ReturnType<typeof readManifest>;
      const ours = Object.entries(dependencies).filter(([name]) => name.startsWith('@partyline/'));
      return { file, versions: [own, ...ours.map(([, each]) => each)] };
    }),
    ...CONSTANTS.map((file) => ({ file, versions: [/VERSION = '(.*)'/.exec(read(file))?.[1] ?? ''] })),
    ...pages().map((file) => ({ file, versions: [...read(file).matchAll(TARBALL)].map(([, , each]) => each!) })),
    {
      file: 'docs/openapi.json',
      versions: [(JSON.parse(read('docs/openapi.json')) as { info: { version: string } }).info.version],
    },
  ];
  const wrong = found.flatMap(({ file, versions }) =>
    versions.filter((each) => each !== version).map((each) => `${file} has the version ${each}, not ${version}.`),
  );
  return read('CHANGELOG.md').includes(`\n## ${version}`)
    ? wrong
    : [...wrong, `CHANGELOG.md does not describe ${version}.`];
}

/** The files that `setVersion` may change. */
export const versionedFiles = (): string[] => [...manifests(), ...CONSTANTS, ...pages()];

/** Replaces every version of ours in the text of a package.json, a constant or a page. */
export const replaceVersion = (text: string, version: string): string =>
  text
    .replace(/^( {2}"version": )".*"/m, `$1"${version}"`)
    .replaceAll(/("@partyline\/[\w-]+": )"\d+\.\d+\.\d+"/g, `$1"${version}"`)
    .replace(/(VERSION = )'.*'/, `$1'${version}'`)
    .replaceAll(TARBALL, `$1${version}`);

/**
 * Writes a version to every package.json, constant and page. docs/openapi.json and
 * package-lock.json are generated.
 * @returns the changed files
 */
export function setVersion(version: string): string[] {
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`--set-version must be like 1.2.3, not ${version}.`);
  const files = versionedFiles().filter((file) => replaceVersion(read(file), version) !== read(file));
  for (const file of files) writeFileSync(inWorkspace(file), replaceVersion(read(file), version));
  return files;
}
