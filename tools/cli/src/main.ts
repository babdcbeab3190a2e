#!/usr/bin/env node
import { homedir } from 'node:os';
import { text } from 'node:stream/consumers';
import { allowsColour } from './io.ts';
import { run } from './program.ts';

let interrupted: AbortController | undefined;
/** Installs signal handlers on first use, so that Ctrl-C ends all other commands at once. */
function interruptSignal(): AbortSignal {
  if (interrupted === undefined) {
    const controller = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
    interrupted = controller;
  }
  return interrupted.signal;
}
// A closed pipe (`partyline ... | head`) is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await run(
  {
    env: process.env,
    home: homedir(),
    out: (line) => process.stdout.write(`${line}\n`),
    err: (line) => process.stderr.write(`${line}\n`),
    readInput: () => text(process.stdin),
    hasColour: allowsColour(process.stdout, process.env),
    hasErrorColour: allowsColour(process.stderr, process.env),
    now: () => Date.now(),
    get interrupted() {
      return interruptSignal();
    },
  },
  process.argv.slice(2),
);
