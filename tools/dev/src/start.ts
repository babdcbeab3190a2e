import { parseArgs } from 'node:util';
import { buildApps } from './build.ts';
import { openControl } from './stack/control.ts';
import { describeStack } from './stack/describe.ts';
import { untilInterrupted } from './processes/processes.ts';
import { startStack, type Stack, type StackOptions } from './stack/stack.ts';
import { inWorkspace } from './workspace.ts';

const HELP = `npm start -- [--mode opentok|unified] [--keep] [--vendor emulated|vonage] [--webhooks-port N]

Starts Partyline on this machine: Postgres, Redis, the four services and an emulated vendor. Prints the addresses, an API key and a first
request. Ctrl-C ends everything.

  --mode            which of the emulated vendor's video products: unified (default) or opentok
  --keep            keep the database in .partyline/ for the next start
  --vendor vonage   use a real Vonage account: its variables come from the environment or .env (README)
  --webhooks-port   with a real account, where voice-webhooks listens (default 8080): point your tunnel here`;

const log = (line: string): void => console.error(line);
const options = readArguments();
// While things still start, leaving is enough: every child ends when this process does.
const interrupted = untilInterrupted();
let isUp = false;
void interrupted.then(() => (isUp ? undefined : process.exit(130)));
const stack = await up();
isUp = true;
const control = await openControl(stack, log);
console.log(describeStack(stack));
await interrupted;
log('stopping …');
await control.close();
await stack.stop();
log('everything has ended');

async function up(): Promise<Stack> {
  try {
    log('building …');
    await buildApps({ log });
    return await startStack({ ...options, breakable: true, log });
  } catch (error) {
    log(error instanceof Error ? error.message : String(error));
    return process.exit(1);
  }
}

function readArguments(): Omit<StackOptions, 'log'> {
  try {
    const { values } = parseArgs({
      options: {
        mode: { type: 'string', default: 'unified' },
        keep: { type: 'boolean', default: false },
        vendor: { type: 'string', default: 'emulated' },
        'webhooks-port': { type: 'string', default: '8080' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const { mode, keep, vendor, 'webhooks-port': port } = values;
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    if (mode !== 'opentok' && mode !== 'unified') throw new Error(`--mode is opentok or unified, not ${mode}`);
    if (vendor !== 'emulated' && vendor !== 'vonage') throw new Error(`--vendor is emulated or vonage, not ${vendor}`);
    if (!/^\d{2,5}$/.test(port)) throw new Error(`--webhooks-port is a port number, not ${port}`);
    return {
      mode,
      keep,
      ...(vendor === 'vonage' ? { real: { env: realEnvironment(), webhooksPort: Number(port) } } : {}),
    };
  } catch (error) {
    log(`${(error as Error).message}\n\n${HELP}`);
    return process.exit(2);
  }
}

/** The environment, and under it what stands in .env. */
function realEnvironment(): NodeJS.ProcessEnv {
  try {
    process.loadEnvFile(inWorkspace('.env'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return process.env;
}
