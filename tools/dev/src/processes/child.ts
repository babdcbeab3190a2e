import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';

export interface ChildOptions {
  /** What logs and errors call it. */
  name: string;
  command: string;
  args?: string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  uid?: number;
  gid?: number;
  /** The signal that asks it to end; Postgres wants SIGINT ("fast"), everything else SIGTERM. */
  stopSignal?: NodeJS.Signals;
  /** How long it may take to end before SIGKILL. */
  stopWithinMs?: number;
  /** A file that collects its output. */
  logFile?: string;
  onLine?: (line: string) => void;
}

export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string | undefined;
  /** Resolves when the process is gone. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** False once the process is gone. */
  readonly running: boolean;
  /** The last lines it printed, for an error message. */
  tail(): string;
  /** Calls back for each line printed from now on; returns the way to stop listening. */
  onLine(listener: (line: string) => void): () => void;
  /** Asks it to end, insists after the bound, and resolves when it is gone. */
  stop(): Promise<void>;
  /** Sends one signal, for a test or demo that kills a service on purpose. */
  kill(signal: NodeJS.Signals): void;
}

const TAIL_LINES = 30;
const STOP_WITHIN_MS = 10_000;

/**
 * Runs a command so that it cannot outlive us: a watcher forked beside it reads a pipe that only we hold open. When we die, however we die
 * (SIGKILL included), the pipe closes and the watcher sends the stop signal. `exec` keeps the pid the shell was given, so the command itself is
 * our child. It sits in its own session so that Ctrl-C reaches only us and the order of stopping stays ours. SIGCONT follows for a child
 * that was frozen on purpose: it could not end otherwise. One that has not ended after ten seconds is killed; that the pid is still the
 * child's, the watcher knows from its own parent.
 */
const INSIST =
  'i=0; while read -r _ _ _ parent _ </proc/self/stat && [ "$parent" = $$ ]; do [ $i = 10 ] && kill -s KILL $$; i=$((i+1)); sleep 1; done';
const GUARD = `exec 3<&0; (read -r _ <&3; kill -s "$0" $$; kill -s CONT $$; ${INSIST}) >/dev/null 2>&1 & exec 3<&- </dev/null; exec "$@"`;

/** Starts a child process that ends with this one, and collects what it prints. */
export function startChild(options: ChildOptions): Child {
  const stopSignal = options.stopSignal ?? 'SIGTERM';
  const guarded = ['-c', GUARD, stopSignal.replace(/^SIG/, ''), options.command, ...(options.args ?? [])];
  const process = spawn('/bin/sh', guarded, {
    cwd: options.cwd,
    env: options.env,
    uid: options.uid,
    gid: options.gid,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // The pipe breaks when the child ends first; that is its normal end, not an error of ours.
  process.stdin?.on('error', () => undefined);
  return watch(process, options, stopSignal);
}

function watch(process: ChildProcess, options: ChildOptions, stopSignal: NodeJS.Signals): Child {
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>(options.onLine ? [options.onLine] : []);
  if (options.logFile) mkdirSync(dirname(options.logFile), { recursive: true });
  const log = options.logFile ? createWriteStream(options.logFile, { flags: 'a' }) : undefined;
  const take = (line: string): void => {
    lines.push(line);
    if (lines.length > TAIL_LINES) lines.shift();
    log?.write(`${line}\n`);
    for (const listener of listeners) listener(line);
  };
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on('line', take);
  }

  let running = true;
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    process.once('error', (error) => {
      running = false;
      take(`could not start: ${error.message}`);
      resolve({ code: null, signal: null });
    });
    process.once('exit', (code, signal) => {
      running = false;
      log?.end();
      resolve({ code, signal });
    });
  });

  const kill = (signal: NodeJS.Signals): void => {
    if (running) process.kill(signal);
  };
  return {
    name: options.name,
    pid: process.pid ?? -1,
    logFile: options.logFile,
    ended,
    get running() {
      return running;
    },
    tail: () => lines.join('\n'),
    onLine(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    kill,
    async stop() {
      kill(stopSignal);
      kill('SIGCONT');
      const insist = setTimeout(() => kill('SIGKILL'), options.stopWithinMs ?? STOP_WITHIN_MS);
      await ended;
      clearTimeout(insist);
    },
  };
}
