import { parseArgs } from 'node:util';
import { createProcesses, untilInterrupted } from '@partyline/dev/processes/processes';
import type { Bench, BenchOptions } from './bench.ts';
import { events } from './events/bench.ts';
import { rooms } from './rooms/bench.ts';
import { webhooks } from './webhooks/bench.ts';

const BENCHES: Readonly<Record<string, Bench>> = { webhooks, rooms, events };

const HELP = `npm run bench -- <bench> [options]

${Object.entries(BENCHES)
  .map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`)
  .join('\n')}

  --seconds S       how long each server is measured in each round and phase (default 2)
  --rounds N        rounds; the servers take turns in each, and medians are shown (default 5)
  --pins N          live PINs to look among (default 100000)
  --connections N   keep-alive connections of the load generator (default 64)
  --profile FOLDER  leave a CPU profile of our service there, for Chrome's DevTools; slows it down, so don't believe the ratios
  --json            print only the last line, the result as JSON
  --help            this text

A bench brings its own Postgres and Redis and leaves nothing running. Compare within one run only: figures move by half between runs,
ratios by a tenth or two. Exit code 1 when a reply was wrong or something did not start; a missed target is shown, not an error.`;

const { name, json, options } = readArguments();
const started = Date.now();
const log = (line: string): void => {
  if (!json) console.error(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
};
const processes = createProcesses((line) => console.error(line));

let interrupted = false;
void untilInterrupted().then(async (signal) => {
  interrupted = true;
  log(`${signal}: stopping …`);
  await processes.stopAll();
  process.exit(130);
});

try {
  const print = (line: string): void => {
    if (!json) console.log(line);
  };
  const result = await BENCHES[name]!.run({ log, print, processes, options });
  await processes.stopAll();
  console.log(JSON.stringify(result));
  process.exit(0);
} catch (error) {
  // What breaks because it is being stopped is no failure; the other end of this process is above.
  if (!interrupted) {
    console.error(`The bench failed: ${error instanceof Error ? error.message : String(error)}`);
    await processes.stopAll();
    process.exit(1);
  }
}

function readArguments(): { name: string; json: boolean; options: BenchOptions } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        seconds: { type: 'string', default: '2' },
        rounds: { type: 'string', default: '5' },
        pins: { type: 'string', default: '100000' },
        connections: { type: 'string', default: '64' },
        profile: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help || (positionals.length === 0 && process.argv.length === 2)) {
      console.log(HELP);
      process.exit(0);
    }
    const [wanted, ...more] = positionals;
    if (wanted === undefined || more.length > 0 || !Object.hasOwn(BENCHES, wanted))
      throw new Error(`Name one bench: ${Object.keys(BENCHES).join(', ')}.`);
    return {
      name: wanted,
      json: values.json,
      options: {
        seconds: number('seconds', values.seconds, 0.1, 600),
        rounds: whole('rounds', values.rounds, 1, 1_000),
        pins: whole('pins', values.pins, 100, 10_000_000),
        connections: whole('connections', values.connections, 1, 1_000),
        ...(values.profile === undefined ? {} : { profile: values.profile }),
      },
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    process.exit(2);
  }
}

function number(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= least && value <= most))
    throw new Error(`--${option} is a number from ${least} to ${most}, not «${text}».`);
  return value;
}

function whole(option: string, text: string, least: number, most: number): number {
  const value = number(option, text, least, most);
  if (!Number.isInteger(value)) throw new Error(`--${option} is a whole number, not «${text}».`);
  return value;
}
