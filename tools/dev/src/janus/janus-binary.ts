import { dirname } from 'node:path';
import { findBeside, findProgram, type Program, type ProgramSource } from '../packages/find-program.ts';

const JANUS: ProgramSource = {
  title: 'a Janus server',
  variable: 'JANUS_BIN',
  commands: ['janus'],
  versionArgs: ['--version'],
  versionPattern: /Janus version: \d+ \(([\d.]+\d)\)/,
  // Earlier versions have no multistream VideoRoom.
  minVersion: '1.1',
  packages: { name: 'janus', packages: ['janus'], program: 'usr/bin/janus' },
  advice: [
    'install it: `apt-get install janus` (Debian 12, Ubuntu 23.04 or later)',
    'set JANUS_URL, JANUS_ADMIN_URL, JANUS_API_SECRET, JANUS_ADMIN_SECRET and JANUS_ADMIN_KEY to an existing server',
  ],
};

/** A Janus program. */
export interface JanusBinary extends Program {
  /** The folder with `plugins`, `transports`, …; undefined if only the program knows it. */
  readonly modules: string | undefined;
}

/** Finds a Janus server program (order: JANUS_BIN, PATH, cache, download). */
export async function findJanus(log: (line: string) => void): Promise<JanusBinary> {
  const program = await findProgram(JANUS, log);
  const plugins = findBeside(program, 'lib/{,*/}janus/plugins');
  return { ...program, modules: plugins && dirname(plugins) };
}
