import { parseArgs } from 'node:util';
import { buildApps } from '@partyline/dev/build';
import { describeStack } from '@partyline/dev/stack/describe';
import { waitForInterrupt } from '@partyline/dev/processes/processes';
import { startStack, type Stack } from '@partyline/dev/stack/stack';
import { playStory } from './story.ts';
import { formatBill, summarise, formatTimelines, findDeviations } from './summary.ts';
import { createTenantClient } from './tenant-client.ts';

const HELP = `npm run demo -- [--mode opentok|unified] [--json] [--keep]

Plays two conferences through Partyline, from the creation of the rooms to the last hang-up: with real Postgres and
Redis, the four services as processes, Vonage's own SDKs, and an emulated provider that meters its charges. Takes
about half a minute.

  --mode opentok   the legacy OpenTok video environment (default)
  --mode unified   a Vonage application with the video capability
  --json           print only the result, as JSON
  --keep           keep everything running afterwards and print how to use it; Ctrl-C stops it
  --help           print this text

The last line holds the counts of the provider's ledger. lingeringLegSeconds: the total time that legs were up
later than 5 s after the end of their session was decided. hangUpConfirmMs: the time from the hang-up request to its
confirmation. Exit status 0 only if every count is as expected; 2 for wrong arguments.`;

const parsed = readArguments();
const { mode, json, keep } = parsed;
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
  stack = await startStack({ mode, log: progress });
  progress(`everything is up (${mode})\n`);

  const story = await playStory({
    stack,
    tenant: createTenantClient(stack.urls['room-api'], stack.apiKey),
    emulator: stack.emulator!,
    say,
  });
  const summary = summarise(story, mode);
  say('\n4  The timeline of each person:');
  for (const line of formatTimelines(story)) say(line);
  say("\n   The provider's charges, from its own ledger:");
  for (const line of formatBill(story)) say(line);
  say('');
  const deviations = findDeviations(summary);
  for (const line of deviations) console.error(line);
  if (deviations.length > 0) process.exitCode = 1;
  if (keep) {
    say(describeStack(stack));
    console.log(JSON.stringify(summary));
    await interrupted;
    await stack.stop();
  } else {
    await stack.stop();
    console.log(JSON.stringify(summary));
  }
} catch (error) {
  // After an interrupt, errors come from the stopped processes.
  if (isInterrupted) await new Promise(() => undefined);
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  if (stack) console.error(`The services' logs are in ${stack.logFolder}`);
  await stack?.stop();
  process.exitCode = 1;
}
process.exit();

function readArguments(): { mode: 'opentok' | 'unified'; json: boolean; keep: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        mode: { type: 'string', default: 'opentok' },
        json: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    if (values.mode !== 'opentok' && values.mode !== 'unified')
      throw new Error(`--mode must be opentok or unified, not "${values.mode}".`);
    return { mode: values.mode, json: values.json, keep: values.keep };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return process.exit(2);
  }
}
