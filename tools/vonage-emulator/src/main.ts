#!/usr/bin/env node
/** Command line. Prints one JSON line with the URL when the server listens. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { configSchema, type EmulatorConfigInput } from './config.ts';
import { createEmulator } from './emulator.ts';

const HELP = `vonage-emulator: Vonage Voice, OpenTok and unified Video on one port.

  vonage-emulator [--config FILE|-] [--host ADDRESS] [--port N] [--clock real|virtual]

  --config FILE   JSON configuration (see README.md). With "-", the emulator reads one line from stdin
                  and exits when stdin closes.
  --host ADDRESS  Address to listen on. Default: 127.0.0.1. /emulator has no authentication.
  --port N        Port to listen on. 0 (default) selects a free port.
  --clock MODE    real (default) or virtual (advance with POST /emulator/clock {"advanceMs": 1000}).
  --help          Show this help.

  Environment: VONAGE_EMULATOR_CONFIG (a file), VONAGE_EMULATOR_HOST, VONAGE_EMULATOR_PORT,
  VONAGE_EMULATOR_CLOCK.
  Flags override the environment and the configuration file.
`;

async function readFirstStdinLine(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) return line;
  return '{}';
}

async function readConfig(source: string | undefined): Promise<EmulatorConfigInput> {
  if (source === undefined) return {};
  return JSON.parse(source === '-' ? await readFirstStdinLine() : readFileSync(source, 'utf8')) as EmulatorConfigInput;
}

const { values } = parseArgs({
  options: {
    config: { type: 'string' },
    host: { type: 'string' },
    port: { type: 'string' },
    clock: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});

if (values.help === true) {
  process.stdout.write(HELP);
  process.exit(0);
}

const { VONAGE_EMULATOR_CONFIG, VONAGE_EMULATOR_HOST, VONAGE_EMULATOR_PORT, VONAGE_EMULATOR_CLOCK } = process.env;
const source = values.config ?? VONAGE_EMULATOR_CONFIG;
const host = values.host ?? VONAGE_EMULATOR_HOST;
const port = values.port ?? VONAGE_EMULATOR_PORT;
const clock = values.clock ?? VONAGE_EMULATOR_CLOCK;

const config = configSchema.safeParse({
  ...(await readConfig(source)),
  ...(host === undefined ? {} : { host }),
  ...(port === undefined ? {} : { port: Number(port) }),
  ...(clock === undefined ? {} : { clock }),
});
if (!config.success) {
  process.stderr.write(`vonage-emulator: invalid configuration\n${z.prettifyError(config.error)}\n`);
  process.exit(2);
}
const emulator = await createEmulator(config.data);

const stop = (): void => void emulator.close().then(() => process.exit(0));
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
if (source === '-') {
  process.stdin.resume();
  process.stdin.once('close', stop).once('end', stop);
}
process.stdout.write(`${JSON.stringify({ listening: emulator.url })}\n`);
