#!/usr/bin/env node
/** Command line. Prints one JSON line with the URL when the server listens. */
import { createInterface } from 'node:readline';
import { describeStartError, readOptions, UsageError } from './command/read-options.ts';
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

  Exit status: 2 for wrong options or a wrong configuration, 1 when the port cannot be used.
`;

async function readFirstStdinLine(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) return line;
  return '{}';
}

function exitWith(status: 1 | 2, problem: string): never {
  process.stderr.write(`vonage-emulator: ${problem}\n`);
  process.exit(status);
}

const options = await readOptions(process.argv.slice(2), process.env, readFirstStdinLine).catch((error: unknown) => {
  if (error instanceof UsageError) return exitWith(2, error.message);
  throw error;
});
if (options.isHelp) {
  process.stdout.write(HELP);
  process.exit(0);
}
const emulator = await createEmulator(options.config).catch((error: unknown) =>
  exitWith(1, describeStartError(error, options.config)),
);

const stop = (): void => void emulator.close().then(() => process.exit(0));
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
if (options.isFromStdin) {
  process.stdin.resume();
  process.stdin.once('close', stop).once('end', stop);
}
process.stdout.write(`${JSON.stringify({ listening: emulator.url })}\n`);
