import { parseArgs } from 'node:util';
import { faults } from '@partyline/dev/faults/faults';
import { readRunningState, requestFault } from '@partyline/dev/stack/control';
import { serviceNames } from '@partyline/dev/stack/service-environment';

const NAME_WIDTH = Math.max(...faults.map(({ name }) => name.length));
const FAULT_LIST = faults
  .map(({ name, description, defaultDurationMs }) => {
    const duration = defaultDurationMs === null ? '' : ` (${defaultDurationMs / 1000} s)`;
    return `  ${name.padEnd(NAME_WIDTH)}  ${description}${duration}`;
  })
  .join('\n');
const HELP = `npm run chaos -- --fault NAME [--on PART] [--for TIME]

Injects a fault into the Partyline that \`npm start\` runs on this machine, and prints what to watch for.

  --fault NAME   the fault (see below)
  --on PART      the process to kill or freeze, or the service whose link fails; default for a link: all services
                 services: ${serviceNames.join(', ')}
  --for TIME     the duration, such as 500ms, 10s or 2m; each fault has a default

${FAULT_LIST}`;

const MAX_DURATION_MS = 600_000;

const request = readArguments();
const running = readRunningState();
if (running === null) exitWithError('Partyline is not running. Start it with `npm start` in another terminal.', 1);
const reply = await requestFault(running, request).catch(() =>
  exitWithError('Partyline is no longer running; .partyline/running.json is left over. Start it with `npm start`.', 1),
);
if (!reply.ok) exitWithError(reply.error, 1);
const ledger = running.emulatorUrl === null ? '' : `   Ledger: ${running.emulatorUrl}/emulator/ledger`;
console.log(`${reply.message}\n${reply.watchFor}\nLogs: ${running.logFolder}${ledger}`);

function readArguments(): Parameters<typeof requestFault>[1] {
  try {
    const { values } = parseArgs({
      options: {
        fault: { type: 'string' },
        on: { type: 'string' },
        for: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    if (values.fault === undefined) throw new Error('--fault is required');
    if (!faults.some(({ name }) => name === values.fault))
      throw new Error(`--fault "${values.fault}" does not exist. Use one of the faults below.`);
    return {
      fault: values.fault,
      ...(values.on === undefined ? {} : { target: values.on }),
      ...(values.for === undefined ? {} : { durationMs: parseDuration(values.for) }),
    };
  } catch (error) {
    return exitWithError(`${(error as Error).message}\n\n${HELP}`, 2);
  }
}

function parseDuration(text: string): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text) ?? [];
  const ms = Number(number) * { ms: 1, s: 1_000, m: 60_000 }[unit as 'ms' | 's' | 'm'];
  if (ms > 0 && ms <= MAX_DURATION_MS) return ms;
  throw new Error(`--for "${text}" is not a duration. Use 500ms, 10s or 2m, at most ten minutes.`);
}

function exitWithError(message: string, code: number): never {
  console.error(message);
  process.exit(code);
}
