import { createWriteStream, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { execa, type ResultPromise } from 'execa';

export interface ChildOptions {
  /** The name of the child in logs and errors. */
  name: string;
  command: string;
  args?: string[];
  /** Replaces the environment of this process. */
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  uid?: number;
  gid?: number;
  /**
   * The signal that requests the end: SIGINT for Postgres ("fast" shutdown), SIGTERM by default.
   */
  stopSignal?: NodeJS.Signals;
  /** Time limit of the shutdown, after which the child gets SIGKILL. */
  stopTimeoutMs?: number;
  /**
   * For a server that forks and whose processes outlive the first one: SIGKILL, SIGSTOP and SIGCONT
   * go to all of them, and what is left of them ends with the first one.
   */
  killsGroup?: boolean;
  /** A file that collects the output. */
  logFile?: string;
  onLine?: (line: string) => void;
}

export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string | undefined;
  /** Resolves when the process has ended. With `killsGroup`, its forks have got SIGKILL then. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** False once the process has ended. */
  readonly isRunning: boolean;
  /** Returns the last lines of output, for an error message. */
  tail(): string;
  /**
   * Calls the listener for each further line of output. Returns a function that removes the
   * listener.
   */
  onLine(listener: (line: string) => void): () => void;
  /**
   * Requests the end, sends SIGKILL after the time limit, and resolves when the process has ended.
   */
  stop(): Promise<void>;
  /** Sends one signal, for tests and demos that kill a service. */
  kill(signal: NodeJS.Signals): void;
}

const MAX_TAIL_LINES = 30;
const STOP_TIMEOUT_MS = 10_000;

/**
 * A shell wrapper that prevents the command from outliving this process. A watcher beside the
 * command reads a pipe that only this process holds open. When this process ends, even by SIGKILL,
 * the pipe closes and the watcher sends the stop signal. SIGCONT follows, because a child stopped
 * by SIGSTOP could not end otherwise. After ten seconds the watcher sends SIGKILL; it knows from
 * its own parent id that the pid still belongs to the child.
 *
 * `exec` keeps the pid of the shell, so that the command is our direct child. It runs in its own
 * session, so that Ctrl-C reaches only this process and the children stop in our order. execa's own
 * clean-up does not cover SIGKILL of this process.
 */
const ENSURE_EXIT =
  'i=0; while read -r _ _ _ parent _ </proc/self/stat && [ "$parent" = $$ ]; ' +
  'do [ $i = 10 ] && kill -s KILL $$; i=$((i+1)); sleep 1; done';
const REQUEST_EXIT = 'read -r _ <&3; kill -s "$0" $$; kill -s CONT $$';
const RUN_COMMAND = 'exec 3<&- </dev/null; exec "$@"';
const ORPHAN_GUARD = `exec 3<&0; (${REQUEST_EXIT}; ${ENSURE_EXIT}) >/dev/null 2>&1 & ${RUN_COMMAND}`;

/**
 * The same for a group of processes. A server that forks may wait for all of its children when it
 * ends, so the watcher is the child of a shell that ends at once. It belongs to the group, so that
 * the id of the group is its own as long as the watcher runs.
 */
const ENSURE_GROUP_EXIT = 'i=0; while kill -s 0 $$ && [ $i -lt 10 ]; do i=$((i+1)); sleep 1; done; kill -s KILL -- -$$';
const GROUP_GUARD = `exec 3<&0; ((${REQUEST_EXIT}; ${ENSURE_GROUP_EXIT}) >/dev/null 2>&1 &); ${RUN_COMMAND}`;

/** Starts a child process that ends with this process, and collects its output. */
export function startChild(options: ChildOptions): Child {
  const stopSignal = options.stopSignal ?? 'SIGTERM';
  const guard = options.killsGroup ? GROUP_GUARD : ORPHAN_GUARD;
  const guardedArgs = ['-c', guard, stopSignal.replace(/^SIG/, ''), options.command, ...(options.args ?? [])];
  const subprocess = execa('/bin/sh', guardedArgs, {
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.env !== undefined && { env: options.env, extendEnv: false }),
    ...(options.uid !== undefined && { uid: options.uid }),
    ...(options.gid !== undefined && { gid: options.gid }),
    detached: true,
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    buffer: false,
    reject: false,
    killSignal: stopSignal,
    forceKillAfterDelay: options.stopTimeoutMs ?? STOP_TIMEOUT_MS,
  });
  // The pipe breaks when the child ends first, which is normal.
  subprocess.stdin?.on('error', () => undefined);
  return wrapProcess(subprocess, options, stopSignal);
}

function wrapProcess(subprocess: ResultPromise, options: ChildOptions, stopSignal: NodeJS.Signals): Child {
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>(options.onLine ? [options.onLine] : []);
  if (options.logFile) mkdirSync(dirname(options.logFile), { recursive: true });
  const log = options.logFile ? createWriteStream(options.logFile, { flags: 'a' }) : undefined;
  const addLine = (line: string): void => {
    lines.push(line);
    if (lines.length > MAX_TAIL_LINES) lines.shift();
    log?.write(`${line}\n`);
    for (const listener of listeners) listener(line);
  };
  for (const stream of [subprocess.stdout, subprocess.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on('line', addLine);
  }

  let isRunning = true;
  // Not execa's own result: that also waits for descendants that keep the output pipes open.
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    subprocess.nodeChildProcess.once('error', (error) => {
      isRunning = false;
      addLine(`could not start: ${error.message}`);
      resolve({ code: null, signal: null });
    });
    subprocess.nodeChildProcess.once('exit', (code, signal) => {
      isRunning = false;
      log?.end();
      if (options.killsGroup && subprocess.pid) sendSignal(-subprocess.pid, 'SIGKILL');
      resolve({ code, signal });
    });
  });

  const kill = (signal: NodeJS.Signals): void => {
    if (!isRunning) return;
    const group = options.killsGroup ? subprocess.pid : undefined;
    if (group !== undefined && (signal === 'SIGKILL' || signal === 'SIGCONT')) sendSignal(-group, signal);
    else if (group !== undefined && signal === 'SIGSTOP') stopWithForks(group);
    else subprocess.kill(signal);
  };
  return {
    name: options.name,
    pid: subprocess.pid ?? -1,
    logFile: options.logFile,
    ended,
    get isRunning() {
      return isRunning;
    },
    tail: () => lines.join('\n'),
    onLine(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    kill,
    async stop() {
      // execa sends SIGKILL if the process has not ended after `forceKillAfterDelay`.
      kill(stopSignal);
      kill('SIGCONT');
      await ended;
    },
  };
}

/**
 * Not the whole group: the watcher must run, or the group would stay when this process is killed.
 * The forks are listed before anything is stopped, and again for those that were started meanwhile.
 */
function stopWithForks(pid: number): void {
  const forks = listForks(pid);
  sendSignal(pid, 'SIGSTOP');
  for (const fork of [...forks, ...listForks(pid)]) sendSignal(fork, 'SIGSTOP');
}

/** Lists the children of a process from /proc, because `ps` is missing in small images. */
function listForks(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number);
}

/** Returns the parent of a process; undefined if it has ended. */
function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program is in parentheses, and may contain some. Then: state, parent.
    return Number(
      stat
        .slice(stat.lastIndexOf(')') + 1)
        .trim()
        .split(' ')[1],
    );
  } catch {
    return undefined;
  }
}

/** @param id a process, or with a minus a group */
function sendSignal(id: number, signal: NodeJS.Signals): void {
  try {
    process.kill(id, signal);
  } catch {
    // The process, or the last one of the group, has ended.
  }
}
