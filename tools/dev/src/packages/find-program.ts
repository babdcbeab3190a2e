import { existsSync, globSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { execaSync } from 'execa';
import { fetchProgram, findCachedProgram, type PackageSet, type UnpackedProgram } from './debian-packages.ts';

/** A program, where to look for it, and what to say if it is nowhere. */
export interface ProgramSource {
  /** The program in messages, with an article, e.g. `a Redis server`. */
  readonly title: string;
  /** The environment variable that names the program. */
  readonly variable: string;
  /** The names of the program in the folders of PATH, best first. */
  readonly commands: readonly string[];
  /** Arguments with which the program prints its version. Its exit code does not count. */
  readonly versionArgs: readonly string[];
  /** Matches the printed version, and captures its number. */
  readonly versionPattern: RegExp;
  /** The lowest usable version, e.g. `1.1`. */
  readonly minVersion?: string;
  readonly packages: PackageSet;
  /** Ways to get the program, one a line, for the error. */
  readonly advice: readonly string[];
}

/** A program that can run on this machine. */
export interface Program {
  readonly path: string;
  /** Variables to add to the environment of the process. */
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
  readonly from: 'environment' | 'system' | 'cache' | 'fetched';
}

/** Folders of servers, which Debian does not add to the PATH of a user. */
const SERVER_FOLDERS = ['/usr/local/sbin', '/usr/sbin'];
const VERSION_TIMEOUT_MS = 30_000;

/**
 * Finds a program: from its environment variable, from the system, from the cache, or by download.
 * @throws Error that lists the ways to get one
 */
export async function findProgram(source: ProgramSource, log: (line: string) => void): Promise<Program> {
  const named = process.env[source.variable];
  if (named) {
    const checked = checkProgram(source, { path: named, env: {} });
    if ('version' in checked) return { path: named, env: {}, version: checked.version, from: 'environment' };
    throw new Error(
      `${source.variable} is ${named}, which ${checked.fault}. ` +
        `Set it to a program ${source.commands.join(' or ')}, or unset it.`,
    );
  }
  const faults: string[] = [];
  const use = (found: UnpackedProgram, from: Program['from']): Program | undefined => {
    const checked = checkProgram(source, found);
    if ('version' in checked) return { ...found, version: checked.version, from };
    faults.push(`${found.path} ${checked.fault}`);
    return undefined;
  };
  const folders = new Set([...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...SERVER_FOLDERS]);
  for (const folder of folders) {
    for (const command of source.commands) {
      const path = join(folder, command);
      const program = existsSync(path) ? use({ path, env: {} }, 'system') : undefined;
      if (program) return program;
    }
  }
  try {
    const cached = await findCachedProgram(source.packages);
    const program = cached && use(cached, 'cache');
    if (program) return program;
  } catch (error) {
    faults.push(describeError(error));
    log(`Not used: ${describeError(error)}.`);
  }
  try {
    const fetched = use(await fetchProgram(source.packages, log), 'fetched');
    if (fetched) return fetched;
  } catch (error) {
    faults.push(describeError(error));
  }
  throw new Error(
    [
      `${capitalize(source.title)} was not found, and none could be downloaded: ${[...new Set(faults)].join('; ')}`,
      'Do one of these:',
      ...source.advice.map((way) => `  - ${way}`),
      `  - set ${source.variable} to the path of ${source.title}`,
    ].join('\n'),
  );
}

/** Adds the advice to use a server that runs already. */
export const adviseExisting = (source: ProgramSource, variables: readonly string[]): ProgramSource => ({
  ...source,
  advice: [
    ...source.advice,
    `set ${variables.join(', ')} to a server that runs already, and add --existing-servers (docs/self-hosted.md)`,
  ],
});

/**
 * Returns a file or folder of the same installation, e.g. a folder of plugins. The pattern is
 * relative to the parent of the program's folder (`/usr` for `/usr/bin/janus`).
 */
export function findBeside(program: Pick<Program, 'path'>, pattern: string): string | undefined {
  return globSync(join(dirname(program.path), '..', pattern))[0];
}

function checkProgram(source: ProgramSource, program: UnpackedProgram): { version: string } | { fault: string } {
  const { all } = execaSync(program.path, source.versionArgs, {
    env: program.env,
    all: true,
    stdin: 'ignore',
    reject: false,
    timeout: VERSION_TIMEOUT_MS,
  });
  const version = source.versionPattern.exec(all ?? '')?.[1];
  if (version === undefined) return { fault: 'cannot be executed' };
  if (source.minVersion !== undefined && version.localeCompare(source.minVersion, 'en', { numeric: true }) < 0)
    return { fault: `has version ${version}, and Partyline requires ${source.minVersion} or later` };
  return { version };
}

function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
