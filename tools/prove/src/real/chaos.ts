import { parseArgs } from 'node:util';
import { readRunningState, requestFault } from '@partyline/dev/stack/control';
import { faults } from '@partyline/dev/faults/faults';
import { serviceNames } from '@partyline/dev/stack/service-environment';

const width = Math.max(...faults.map(({ name }) => name.length));
const HELP = `npm run chaos -- --fault NAME [--on PART] [--for 10s]

Breaks something in the Partyline that \`npm start\` runs here, as \`npm run prove\` does, and says what to look at.

  --fault NAME   which (below)
  --on PART      which process, for kill and freeze, or whose link: ${serviceNames.join(', ')}; links default to all of them
  --for TIME     how long, like 500ms, 10s, 2m; each has its own default

${faults.map(({ name, description: says, defaultDurationMs: lastsMs }) => `  ${name.padEnd(width)}  ${says}${lastsMs === null ? '' : ` (${lastsMs / 1000} s)`}`).join('\n')}`;

const LONGEST_MS = 600_000;

const request = readArguments();
const running = readRunningState();
if (running === null) fail('Nothing runs here. Start it with `npm start`, in another terminal.', 1);
const reply = await requestFault(running, request).catch(() =>
  fail('`npm start` is not running any more (it left .partyline/running.json behind). Start it again.', 1),
);
if (!reply.ok) fail(reply.error, 1);
console.log(
  `${reply.message}\n${reply.watchFor}\nLogs: ${running.logFolder}${running.emulatorUrl === null ? '' : `   Ledger: ${running.emulatorUrl}/emulator/ledger`}`,
);

function readArguments(): { fault: string; on?: string; forMs?: number } {
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
    if (values.fault === undefined) throw new Error('--fault is missing');
    if (!faults.some(({ name }) => name === values.fault)) throw new Error(`there is no fault called ${values.fault}`);
    return {
      fault: values.fault,
      ...(values.on === undefined ? {} : { on: values.on }),
      ...(values.for === undefined ? {} : { forMs: milliseconds(values.for) }),
    };
  } catch (error) {
    return fail(`${(error as Error).message}\n\n${HELP}`, 2);
  }
}

function milliseconds(text: string): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text) ?? [];
  const ms = Number(number) * { ms: 1, s: 1_000, m: 60_000 }[unit as 'ms' | 's' | 'm'];
  if (ms > 0 && ms <= LONGEST_MS) return ms;
  throw new Error(`--for is a time up to ten minutes, like 500ms, 10s or 2m, not ${text}`);
}

function fail(words: string, code: number): never {
  console.error(words);
  process.exit(code);
}
