import { parseArgs } from 'node:util';
import { buildApps } from './build.ts';
import { openControl } from './stack/control.ts';
import { describeStack } from './stack/describe.ts';
import { assertServersNamed } from './stack/existing-servers.ts';
import { waitForInterrupt } from './processes/processes.ts';
import { ConfigError } from '@partyline/runtime/config';
import { writeOwnAccount } from './stack/own-account.ts';
import { readRealAccount, type RealAccount } from './stack/real-account.ts';
import { startStack, type Stack, type StackOptions } from './stack/stack.ts';
import { inWorkspace, stateFolder } from './workspace.ts';

const HELP = `npm start -- [--mode opentok|unified] [--keep] [--provider emulated|vonage|janus] [--sip]
             [--existing-servers] [--webhooks-port N]

Starts Partyline on this machine: Postgres, Redis, the four services and an emulated provider. Prints the addresses,
the keys and a first request. Ctrl-C stops everything.

  --mode              the video product of Vonage: unified (default) or opentok; replaces VIDEO_MODE
  --keep              keep the database in .partyline/ for the next start
  --provider vonage   use a real Vonage account; its variables come from the environment or .env (README)
  --provider janus    use our own servers: kamailio, Janus and media-gateway (docs/self-hosted.md). They are
                      downloaded once, without root
  --sip               with the emulated provider: also start our own servers, for SIP trunks and phones
                      (docs/self-hosted.md)
  --existing-servers  with --provider janus or --sip: use the kamailio of KAMAILIO_*, the Janus of JANUS_*, or both.
                      They must be for you alone: Partyline deletes other tenants' trunks and phones from that
                      kamailio, and ends its other calls (docs/self-hosted.md)
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
const ownAccount = !stack.emulator
  ? null
  : writeOwnAccount({
      folder: stateFolder(),
      mode: options.mode,
      provider: stack.credentials.ownProvider,
      webhooksUrl: stack.urls['voice-webhooks'],
    });
console.log(describeStack(stack));
await interrupted;
log('Stopping ...');
await ownAccount?.stop();
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
        mode: { type: 'string' },
        keep: { type: 'boolean', default: false },
        provider: { type: 'string', default: 'emulated' },
        sip: { type: 'boolean', default: false },
        'existing-servers': { type: 'boolean', default: false },
        'webhooks-port': { type: 'string', default: '8080' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const { mode, keep, provider, sip, 'existing-servers': useExistingServers, 'webhooks-port': port } = values;
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    if (mode !== undefined && mode !== 'opentok' && mode !== 'unified')
      throw new Error(`--mode must be opentok or unified, not ${mode}.`);
    if (provider !== 'emulated' && provider !== 'vonage' && provider !== 'janus')
      throw new Error(`--provider must be emulated, vonage or janus, not ${provider}.`);
    if (sip && provider !== 'emulated') throw new Error('--sip needs the emulated provider.');
    if (useExistingServers && provider !== 'janus' && !sip)
      throw new Error('--existing-servers needs --provider janus or --sip.');
    if (useExistingServers) assertServersNamed();
    if (!/^\d{2,5}$/.test(port)) throw new Error(`--webhooks-port must be a port number, not ${port}.`);
    if (provider === 'emulated')
      return { mode: mode ?? 'unified', keep, ...(sip && { trunkGateways: 1, useExistingServers }) };
    if (provider === 'janus') return { mode: 'unified', keep, gateways: 1, useExistingServers };
    const realAccount = readRealAccountOrExit(mode);
    return {
      mode: realAccount.environment['VIDEO_MODE'] === 'opentok' ? 'opentok' : 'unified',
      keep,
      realAccount,
      webhooksPort: Number(port),
    };
  } catch (error) {
    log(`${(error as Error).message}\n\n${HELP}`);
    return process.exit(2);
  }
}

/** Reads a real account from the environment, completed with the variables of .env. */
function readRealAccountOrExit(mode: string | undefined): RealAccount {
  try {
    process.loadEnvFile(inWorkspace('.env'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  try {
    return readRealAccount({ ...process.env, ...(mode !== undefined && { VIDEO_MODE: mode }) });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log('The variables of the Vonage account are incomplete. Set them in the environment or in .env:');
    for (const problem of error.problems) log(`  ${problem}`);
    log('README.md, "With a real Vonage account", says what each one is. Nothing was started.');
    return process.exit(2);
  }
}
