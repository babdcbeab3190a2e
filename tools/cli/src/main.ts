#!/usr/bin/env node
import { homedir } from 'node:os';
import { text } from 'node:stream/consumers';
import { run } from './program.ts';

let interrupted: AbortController | undefined;
/** Only a command that runs until it is told to stop wants to end by itself; every other is ended at once. */
function untilInterrupted(): AbortSignal {
  if (interrupted === undefined) {
    const begun = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => begun.abort());
    interrupted = begun;
  }
  return interrupted.signal;
}
// Whoever reads us may stop, as head does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await run(
  {
    env: process.env,
    home: homedir(),
    out: (line) => process.stdout.write(`${line}\n`),
    err: (line) => process.stderr.write(`${line}\n`),
    readInput: () => text(process.stdin),
    get interrupted() {
      return untilInterrupted();
    },
  },
  process.argv.slice(2),
);
