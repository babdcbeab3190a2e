import { parseArgs } from 'node:util';
import { buildApps } from './build.ts';
import { openControl } from './stack/control.ts';
import { describeStack } from './stack/describe.ts';
import { waitForInterrupt } from './processes/processes.ts';
import { startStack, type Stack, type StackOptions } from './stack/stack.ts';
import { inWorkspace } from './workspace.ts';

const HELP = `npm start -- [--mode opentok|unified] [--keep] [--provider emulated|vonage] [--webhooks-port N]

Starts Partyline on this machine: Postgres, Redis, the four services and an emulated provider. Prints the URLs, an API
key and a first request. Ctrl-C stops everything.

  --mode              the video product of Vonage: unified (default) or opentok
  --keep              keep the database in .partyline/ for the next start
  --provider vonage   use a real Vonage account; its variables come from the environment or .env (README)
  --webhooks-port     with a real account, the port of voice-webhooks (default 8080); point your tunnel to it`;

const log = (line: string): void => console.error(line);
const options = readArguments();
// During the start it is enough to exit: every child ends when this process ends.
const interrupted = waitForInterrupt();
let isUp = false;
void interrupted.then(() => (isUp ? undefined : process.exit(130)));
const stack = await startOrExit();
isUp = true;
const control = await openControl(stack, log);
console.log(describeStack(stack));
await interrupted;
log('Stopping ...');
await control.close();
await stack.stop();
log('Everything has stopped.');

async function startOrExit(): Promise<Stack> {
  try {
    log('Building ...');
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
        provider: { type: 'string', default: 'emulated' },
        'webhooks-port': { type: 'string', default: '8080' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const { mode, keep, provider, 'webhooks-port': port } = values;
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    if (mode !== 'opentok' && mode !== 'unified') throw new Error(`--mode must be opentok or unified, not ${mode}.`);
    if (provider !== 'emulated' && provider !== 'vonage')
      throw new Error(`--provider must be emulated or vonage, not ${provider}.`);
    if (!/^\d{2,5}$/.test(port)) throw new Error(`--webhooks-port must be a port number, not ${port}.`);
    return {
      mode,
      keep,
      ...(provider === 'vonage' ? { realAccount: { env: loadRealEnvironment(), webhooksPort: Number(port) } } : {}),
    };
  } catch (error) {
    log(`${(error as Error).message}\n\n${HELP}`);
    return process.exit(2);
  }
}

/** Returns the environment, completed with the variables of .env. */
function loadRealEnvironment(): NodeJS.ProcessEnv {
  try {
    process.loadEnvFile(inWorkspace('.env'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return process.env;
}
