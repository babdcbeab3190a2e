import { adviseExisting, findBeside, findProgram, type Program, type ProgramSource } from '../packages/find-program.ts';

const KAMAILIO: ProgramSource = {
  title: 'a kamailio server',
  variable: 'KAMAILIO_BIN',
  commands: ['kamailio'],
  versionArgs: ['-v'],
  versionPattern: /version: kamailio ([\d.]+\d)/,
  // The configuration uses `defenv`, which is new in 5.6.
  minVersion: '5.6',
  packages: {
    name: 'kamailio',
    packages: ['kamailio', 'kamailio-postgres-modules', 'kamailio-tls-modules'],
    program: 'usr/sbin/kamailio',
  },
  advice: [
    'install it: `apt-get install kamailio kamailio-postgres-modules kamailio-tls-modules` ' +
      '(Debian 12, Ubuntu 23.04 or later)',
  ],
};

/** The variables of a kamailio that runs already. */
export const KAMAILIO_VARIABLES = [
  'KAMAILIO_SIP',
  'KAMAILIO_GATEWAY_SECRET',
  'KAMAILIO_RPC_URL',
  'KAMAILIO_RPC_SECRET',
] as const;

/** A kamailio program. */
export interface KamailioBinary extends Program {
  /** The folder of its modules; undefined if only the program knows it. */
  readonly modules: string | undefined;
}

/**
 * Finds a kamailio server program (order: KAMAILIO_BIN, PATH, cache, download).
 * @param mayExist whether the caller would use a server of `KAMAILIO_VARIABLES` instead
 */
export async function findKamailio(log: (line: string) => void, mayExist = false): Promise<KamailioBinary> {
  const program = await findProgram(mayExist ? adviseExisting(KAMAILIO, KAMAILIO_VARIABLES) : KAMAILIO, log);
  return { ...program, modules: findBeside(program, 'lib{,64,/*}/kamailio/modules') };
}
