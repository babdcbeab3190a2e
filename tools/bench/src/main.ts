import { parseArgs } from 'node:util';
import { createProcesses, waitForInterrupt } from '@partyline/dev/processes/processes';
import type { Bench, BenchOptions } from './bench.ts';
import { eventsBench } from './events/bench.ts';
import { roomsBench } from './rooms/bench.ts';
import { selfHostedBench } from './self-hosted/bench.ts';
import { webhooksBench } from './webhooks/bench.ts';

const BENCHES: Readonly<Record<string, Bench>> = {
  webhooks: webhooksBench,
  rooms: roomsBench,
  events: eventsBench,
  'self-hosted': selfHostedBench,
};

const HELP = `npm run bench -- <bench> [options]

${Object.entries(BENCHES)
  .map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`)
  .join('\n')}

  --seconds S       seconds per server, round and phase (default 2)
  --rounds N        number of rounds; each measures every server, and the medians are printed (default 5)
  --pins N          number of active PINs (default 100000)
  --connections N   keep-alive connections of the load generator (default 64)
  --calls N         self-hosted: calls at the same time (default 50)
  --churn N         self-hosted: short calls after which nothing may be left (default 1000)
  --profile FOLDER  write a CPU profile of the measured service for Chrome DevTools; this distorts the ratios
  --json            print only the result, as JSON
  --help            print this text

A bench starts its own Postgres and Redis and stops everything that it started. Compare figures of one run only:
between runs, figures vary by half and ratios by 10 to 20 %. Exit status 1 if a reply was wrong or a process did
not start; 2 for wrong arguments. A missed target is printed and is not an error.`;

const { name, json, options } = readArguments();
const started = Date.now();
const log = (line: string): void => {
  if (!json) console.error(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
};
const processes = createProcesses((line) => console.error(line));

let interrupted = false;
void waitForInterrupt().then(async (signal) => {
  interrupted = true;
  log(`${signal}: stopping ...`);
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
  // After an interrupt, errors come from the stopped processes; the handler above ends this
  // process.
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
        calls: { type: 'string', default: '50' },
        churn: { type: 'string', default: '1000' },
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
        seconds: parseNumber('seconds', values.seconds, 0.1, 600),
        rounds: parseInteger('rounds', values.rounds, 1, 1_000),
        pins: parseInteger('pins', values.pins, 100, 10_000_000),
        connections: parseInteger('connections', values.connections, 1, 1_000),
        calls: parseInteger('calls', values.calls, 1, 50),
        churn: parseInteger('churn', values.churn, 1, 100_000),
        ...(values.profile === undefined ? {} : { profile: values.profile }),
      },
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    process.exit(2);
  }
}

function parseNumber(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= least && value <= most))
    throw new Error(`--${option} must be a number from ${least} to ${most}, not "${text}".`);
  return value;
}

function parseInteger(option: string, text: string, least: number, most: number): number {
  const value = parseNumber(option, text, least, most);
  if (!Number.isInteger(value)) throw new Error(`--${option} must be an integer, not "${text}".`);
  return value;
}
