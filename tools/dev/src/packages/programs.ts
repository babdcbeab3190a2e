import { findBeside, findProgram, type Program, type ProgramSource } from './find-program.ts';

type Log = (line: string) => void;

const SIPP: ProgramSource = {
  title: 'SIPp (a SIP load generator)',
  variable: 'SIPP_BIN',
  commands: ['sipp'],
  versionArgs: ['-v'],
  versionPattern: /SIPp v([\d.]+\d)/,
  packages: { name: 'sipp', packages: ['sip-tester'], program: 'usr/bin/sipp' },
  advice: ['install it: `apt-get install sip-tester`, `brew install sipp`'],
};

const BARESIP: ProgramSource = {
  title: 'baresip (a SIP phone)',
  variable: 'BARESIP_BIN',
  commands: ['baresip'],
  versionArgs: ['-h'],
  versionPattern: /baresip v([\d.]+\d)/,
  packages: { name: 'baresip', packages: ['baresip-core'], program: 'usr/bin/baresip' },
  advice: ['install it: `apt-get install baresip-core`, `brew install baresip`'],
};

const CHROMIUM: ProgramSource = {
  title: 'Chromium',
  variable: 'CHROMIUM_BIN',
  commands: ['chromium', 'google-chrome', 'chromium-browser'],
  versionArgs: ['--version'],
  versionPattern: /(?:Chromium|Chrome) ([\d.]+\d)/,
  // usr/bin/chromium is a script that expects an installation.
  packages: { name: 'chromium', packages: ['chromium'], program: 'usr/lib/chromium/chromium' },
  advice: ['install it: `apt-get install chromium` (Debian), or Google Chrome (Ubuntu has no Chromium package)'],
};

const FLITE: ProgramSource = {
  title: 'flite (English text to speech)',
  variable: 'FLITE_BIN',
  commands: ['flite'],
  versionArgs: ['--version'],
  versionPattern: /version: flite-([\d.]+\d)/,
  packages: { name: 'flite', packages: ['flite'], program: 'usr/bin/flite' },
  advice: ['install it: `apt-get install flite`, `brew install flite`'],
};

const ESPEAK: ProgramSource = {
  title: 'eSpeak NG (text to speech)',
  variable: 'ESPEAK_BIN',
  commands: ['espeak-ng'],
  versionArgs: ['--version'],
  versionPattern: /eSpeak NG text-to-speech: ([\d.]+\d)/,
  packages: { name: 'espeak-ng', packages: ['espeak-ng'], program: 'usr/bin/espeak-ng' },
  advice: ['install it: `apt-get install espeak-ng`, `brew install espeak-ng`'],
};

const COTURN: ProgramSource = {
  title: 'coturn (a STUN and TURN server)',
  variable: 'COTURN_BIN',
  commands: ['turnserver'],
  versionArgs: ['--version'],
  versionPattern: /^(?:Coturn-)?(\d[\d.]+\d)/m,
  packages: { name: 'coturn', packages: ['coturn'], program: 'usr/bin/turnserver' },
  advice: ['install it: `apt-get install coturn`, `brew install coturn`'],
};

const RTPENGINE: ProgramSource = {
  title: 'rtpengine (a relay for RTP)',
  variable: 'RTPENGINE_BIN',
  commands: ['rtpengine'],
  versionArgs: ['--version'],
  versionPattern: /^Version: ([\d.]+\d)/m,
  // The oldest that was tried.
  minVersion: '10.5',
  packages: { name: 'rtpengine', packages: ['rtpengine-daemon'], program: 'usr/bin/rtpengine' },
  advice: ['install it: `apt-get install rtpengine-daemon`'],
};

/** Finds SIPp (order: SIPP_BIN, PATH, cache, download). */
export const findSipp = (log: Log): Promise<Program> => findProgram(SIPP, log);

/**
 * Finds baresip (order: BARESIP_BIN, PATH, cache, download). `modules` is the value of
 * `module_path` in its configuration; without one, baresip knows its modules itself.
 */
export async function findBaresip(log: Log): Promise<Program & { readonly modules: string | undefined }> {
  const program = await findProgram(BARESIP, log);
  return { ...program, modules: findBeside(program, 'lib/{,*/}baresip/modules') };
}

/** Finds Chromium or Chrome (order: CHROMIUM_BIN, PATH, cache, download of 124 MB). */
export const findChromium = (log: Log): Promise<Program> => findProgram(CHROMIUM, log);

/** Finds flite (order: FLITE_BIN, PATH, cache, download). */
export const findFlite = (log: Log): Promise<Program> => findProgram(FLITE, log);

/** Finds eSpeak NG (order: ESPEAK_BIN, PATH, cache, download). `env` names its voices. */
export async function findEspeak(log: Log): Promise<Program> {
  const program = await findProgram(ESPEAK, log);
  const data = findBeside(program, 'lib/{,*/}espeak-ng-data');
  return data === undefined ? program : { ...program, env: { ...program.env, ESPEAK_DATA_PATH: data } };
}

/** Finds coturn's `turnserver` (order: COTURN_BIN, PATH, cache, download). */
export const findCoturn = (log: Log): Promise<Program> => findProgram(COTURN, log);

/** Finds rtpengine (order: RTPENGINE_BIN, PATH, cache, download). */
export const findRtpengine = (log: Log): Promise<Program> => findProgram(RTPENGINE, log);
