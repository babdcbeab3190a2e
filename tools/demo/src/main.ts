import { parseArgs } from 'node:util';
import { buildApps } from '@partyline/dev/build';
import { describeStack } from '@partyline/dev/stack/describe';
import { assertServersNamed } from '@partyline/dev/stack/existing-servers';
import { waitForInterrupt } from '@partyline/dev/processes/processes';
import type { SelfHosted } from '@partyline/dev/stack/self-hosted';
import { startStack, type Stack } from '@partyline/dev/stack/stack';
import { findSelfHostedDeviations, formatFigures } from './self-hosted/figures.ts';
import { playSelfHostedStory } from './self-hosted/story.ts';
import { summariseSelfHosted } from './self-hosted/summary.ts';
import { playStory } from './story.ts';
import { formatBill, summarise, formatTimelines, findDeviations } from './summary.ts';
import { createTenantClient } from './tenant-client.ts';

const HELP = `npm run demo -- [--mode opentok|unified] [--provider emulated|janus] [--existing-servers]
                [--json] [--keep]

Plays two conferences through Partyline, from the creation of the rooms to the last hang-up: with real Postgres and
Redis, the four services as processes, Vonage's own SDKs, and an emulated provider that meters its charges. Takes
about half a minute.

  --mode opentok   the legacy OpenTok video environment (default)
  --mode unified   a Vonage application with the video capability
  --provider janus our own servers instead of an emulated provider: kamailio, Janus and media-gateway, with real SIP
                   phones and browsers. Downloads what this machine lacks, once and without root. The last line then
                   holds what the phones and browsers measured (docs/self-hosted.md)
  --existing-servers
                   with --provider janus: use the kamailio of KAMAILIO_*, the Janus of JANUS_*, or both. They must be
                   for you alone: Partyline deletes other tenants' trunks and phones from that kamailio, and ends its
                   other calls (docs/self-hosted.md)
  --json           print only the result, as JSON
  --keep           keep everything running afterwards and print how to use it; Ctrl-C stops it
  --help           print this text

The last line holds the counts of the provider's ledger. lingeringLegSeconds: the total time that legs were up
later than 5 s after the end of their session was decided. hangUpConfirmMs: the time from the hang-up request to its
confirmation. Exit status 0 only if every count is as expected; 2 for wrong arguments.`;

const parsed = readArguments();
const { mode, json, keep, provider, useExistingServers } = parsed;
const started = Date.now();
const say = (line: string): void => {
  if (!json) console.log(line);
};
const progress = (line: string): void => say(`   ${((Date.now() - started) / 1000).toFixed(1).padStart(5)} s  ${line}`);

// Every child process ends with this one, so until the stack is up an exit is enough.
const interrupted = waitForInterrupt();
let stack: Stack | undefined;
let isInterrupted = false;
void interrupted.then(async () => {
  isInterrupted = true;
  console.error('\nstopping everything ...');
  await stack?.stop();
  process.exit(130);
});

try {
  progress('building the services ...');
  await buildApps({ log: progress });
  stack = await startStack({ mode, log: progress, ...(provider === 'janus' && { gateways: 1, useExistingServers }) });
  progress(`everything is up (${provider === 'janus' ? provider : mode})\n`);
  if (stack.selfHosted) await playSelfHosted(stack, stack.selfHosted);
  else await playEmulated(stack);
} catch (error) {
  // After an interrupt, errors come from the stopped processes.
  if (isInterrupted) await new Promise(() => undefined);
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  if (stack) console.error(`The services' logs are in ${stack.logFolder}`);
  await stack?.stop();
  process.exitCode = 1;
}
process.exit();

async function playEmulated(running: Stack): Promise<void> {
  const story = await playStory({
    stack: running,
    tenant: createTenantClient(running.urls['room-api'], running.apiKey),
    emulator: running.emulator!,
    say,
  });
  const summary = summarise(story, mode);
  say('\n4  The timeline of each person:');
  for (const line of formatTimelines(story)) say(line);
  say("\n   The provider's charges, from its own ledger:");
  for (const line of formatBill(story)) say(line);
  await finish(running, summary, findDeviations(summary));
}

async function playSelfHosted(running: Stack, selfHosted: SelfHosted): Promise<void> {
  const result = await playSelfHostedStory({
    stack: running,
    selfHosted,
    tenant: createTenantClient(running.urls['room-api'], running.apiKey),
    say,
    log: progress,
  });
  const summary = summariseSelfHosted(result, (Date.now() - started) / 1_000);
  say('\n   What the phones, the browsers, kamailio and Janus say:');
  for (const line of formatFigures(summary)) say(line);
  await finish(running, summary, findSelfHostedDeviations(summary));
}

/** Prints the deviations and the summary, and stops everything, at once or after an interrupt. */
async function finish(running: Stack, summary: object, deviations: readonly string[]): Promise<void> {
  say('');
  for (const line of deviations) console.error(line);
  if (deviations.length > 0) process.exitCode = 1;
  if (keep) {
    say(describeStack(running));
    console.log(JSON.stringify(summary));
    await interrupted;
  }
  await running.stop();
  if (!keep) console.log(JSON.stringify(summary));
}

interface Arguments {
  readonly mode: 'opentok' | 'unified';
  readonly provider: 'emulated' | 'janus';
  readonly json: boolean;
  readonly keep: boolean;
  readonly useExistingServers: boolean;
}

function readArguments(): Arguments {
  try {
    const { values } = parseArgs({
      options: {
        mode: { type: 'string', default: 'opentok' },
        provider: { type: 'string', default: 'emulated' },
        json: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        'existing-servers': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    if (values.mode !== 'opentok' && values.mode !== 'unified')
      throw new Error(`--mode must be opentok or unified, not "${values.mode}".`);
    if (values.provider !== 'emulated' && values.provider !== 'janus')
      throw new Error(`--provider must be emulated or janus, not "${values.provider}".`);
    if (values['existing-servers'] && values.provider !== 'janus')
      throw new Error('--existing-servers needs --provider janus.');
    if (values['existing-servers']) assertServersNamed();
    return {
      mode: values.mode,
      provider: values.provider,
      json: values.json,
      keep: values.keep,
      useExistingServers: values['existing-servers'],
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return process.exit(2);
  }
}
