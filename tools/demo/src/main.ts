import { parseArgs } from 'node:util';
import { buildApps } from '@partyline/dev/build';
import { describeStack } from '@partyline/dev/stack/describe';
import { untilInterrupted } from '@partyline/dev/processes/processes';
import { startStack, type Stack } from '@partyline/dev/stack/stack';
import { tellStory } from './story.ts';
import { bill, summarise, timelines, whatWentWrong } from './summary.ts';
import { tenant } from './tenant.ts';

const HELP = `npm run demo -- [--mode opentok|unified] [--json] [--keep]

Plays one conference through Partyline, from two rooms to everything hung up: real Postgres and Redis, the four services as
processes, the vendor's own SDKs, and an emulated vendor with its own charge meter. Takes about half a minute.

  --mode opentok   the legacy OpenTok video environment (default)
  --mode unified   a Vonage application with the video capability
  --json           print only the last line, the result as JSON
  --keep           leave everything up afterwards, and print how to use it; Ctrl-C ends it
  --help           this text

The last line counts what the vendor saw. lingeringLegSeconds: seconds that legs were up more than 5 s after their session's end was
decided. hangUpConfirmMs: from a hang-up being owed to the vendor being seen to have done it. Exit code 0 only if the story held.`;

const parsed = readArguments();
const { mode, json, keep } = parsed;
const started = Date.now();
const say = (line: string): void => {
  if (!json) console.log(line);
};
const progress = (line: string): void => say(`   ${((Date.now() - started) / 1000).toFixed(1).padStart(5)} s  ${line}`);

// Every child ends with this process, so leaving at once is enough until the stack is up.
const interrupted = untilInterrupted();
let stack: Stack | undefined;
let isInterrupted = false;
void interrupted.then(async () => {
  isInterrupted = true;
  console.error('\nstopping everything …');
  await stack?.stop();
  process.exit(130);
});

try {
  progress('building the services …');
  await buildApps({ log: progress });
  stack = await startStack({ mode, log: progress });
  progress(`everything is up (${mode})\n`);

  const told = await tellStory({
    stack,
    tenant: tenant(stack.urls['room-api'], stack.apiKey),
    vendor: stack.vendor!,
    say,
  });
  const summary = summarise(told, mode);
  say('\n4  What each of them went through:');
  for (const line of timelines(told)) say(line);
  say('\n   What the vendor charges, by its own meter:');
  for (const line of bill(told)) say(line);
  say('');
  const wrong = whatWentWrong(summary);
  for (const line of wrong) console.error(line);
  if (wrong.length > 0) process.exitCode = 1;
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
  // What fails because we were told to stop is no failure of the story.
  if (isInterrupted) await new Promise(() => undefined);
  console.error(`\nThe story did not hold: ${error instanceof Error ? error.message : String(error)}`);
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
      throw new Error(`--mode is opentok or unified, not ${values.mode}`);
    return { mode: values.mode, json: values.json, keep: values.keep };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return process.exit(2);
  }
}
