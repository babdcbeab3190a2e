import { dirname } from 'node:path';
import { adviseExisting, findBeside, findProgram, type Program, type ProgramSource } from '../packages/find-program.ts';

const JANUS: ProgramSource = {
  title: 'a Janus server',
  variable: 'JANUS_BIN',
  commands: ['janus'],
  versionArgs: ['--version'],
  versionPattern: /Janus version: \d+ \(([\d.]+\d)\)/,
  // Earlier versions have no multistream VideoRoom.
  minVersion: '1.1',
  packages: { name: 'janus', packages: ['janus'], program: 'usr/bin/janus' },
  advice: ['install it: `apt-get install janus` (Debian 12, Ubuntu 23.04 or later)'],
};

/** The variables of a Janus that runs already. */
export const JANUS_VARIABLES = [
  'JANUS_URL',
  'JANUS_ADMIN_URL',
  'JANUS_API_SECRET',
  'JANUS_ADMIN_SECRET',
  'JANUS_ADMIN_KEY',
] as const;

/** A Janus program. */
export interface JanusBinary extends Program {
  /** The folder with `plugins`, `transports`, …; undefined if only the program knows it. */
  readonly modules: string | undefined;
}

/**
 * Finds a Janus server program (order: JANUS_BIN, PATH, cache, download).
 * @param mayExist whether the caller would use a server of `JANUS_VARIABLES` instead
 */
export async function findJanus(log: (line: string) => void, mayExist = false): Promise<JanusBinary> {
  const program = await findProgram(mayExist ? adviseExisting(JANUS, JANUS_VARIABLES) : JANUS, log);
  const plugins = findBeside(program, 'lib/{,*/}janus/plugins');
  return { ...program, modules: plugins && dirname(plugins) };
}
