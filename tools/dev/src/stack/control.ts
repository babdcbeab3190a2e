import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { faults } from '../faults/faults.ts';
import { createFaultInjector, type FaultInjector } from '../faults/inject-faults.ts';
import type { Log } from '../processes/processes.ts';
import type { Stack } from './stack.ts';
import { stateFolder, writePrivateFile } from '../workspace.ts';

/**
 * The file that `npm start` keeps in .partyline/ while it runs, for other tools. Its URLs contain
 * the passwords of Postgres and Redis, so only this user can read it.
 */
interface RunningState {
  readonly pid: number;
  readonly startedAt: string;
  readonly urls: Stack['urls'];
  readonly emulatorUrl: string | null;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly logFolder: string;
  readonly processes: readonly { readonly name: string; readonly pid: number | null }[];
  /** Path of a Unix socket that accepts one JSON line and answers with one. */
  readonly control: string;
}

interface FaultRequest {
  readonly fault: string;
  readonly target?: string;
  readonly durationMs?: number;
}
type FaultReply =
  | { readonly ok: true; readonly message: string; readonly watchFor: string }
  | { readonly ok: false; readonly error: string };

const stateFile = (): string => join(stateFolder(), 'running.json');

/** The path of a Unix socket has at most 107 bytes; the path of a checkout can be longer. */
const MAX_SOCKET_PATH_BYTES = 100;

/**
 * Opens the control socket, by which tools inject faults into a running stack, and writes the state
 * file.
 */
export async function openControl(stack: Stack, log: Log): Promise<{ close(): Promise<void> }> {
  const injector = createFaultInjector(stack, (error) => log(`${error.message}: ${String(error.cause)}`));
  const preferredPath = join(stateFolder(), `control-${process.pid}.sock`);
  const folder = preferredPath.length <= MAX_SOCKET_PATH_BYTES ? undefined : mkdtempSync(join(tmpdir(), 'partyline-'));
  const path = folder === undefined ? preferredPath : join(folder, 'control.sock');
  const server = await listenOnSocket(path, (line) => handleRequest(stack, injector, log, line));
  const state: RunningState = {
    pid: process.pid,
    startedAt: new Date().toISOString(),
    urls: stack.urls,
    emulatorUrl: stack.emulator?.baseUrl ?? null,
    databaseUrl: stack.databaseUrl,
    redisUrl: stack.redisUrl,
    logFolder: stack.logFolder,
    processes: stack.instances.map(({ name, child }) => ({ name, pid: child?.pid ?? null })),
    control: path,
  };
  writePrivateFile(stateFile(), `${JSON.stringify(state, null, 2)}\n`);
  return {
    async close() {
      server.close();
      rmSync(path, { force: true });
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
      // Another stack of this checkout may have been started since.
      if (readRunningState()?.pid === process.pid) rmSync(stateFile(), { force: true });
      // A process stopped by SIGSTOP does not react to a stop signal.
      await injector.endAll();
    },
  };
}

/** Reads the state of the running stack; null when there is none. */
export function readRunningState(): RunningState | null {
  try {
    return JSON.parse(readFileSync(stateFile(), 'utf8')) as RunningState;
  } catch {
    return null;
  }
}

/** Requests a fault from a running stack. Rejects when the stack does not answer. */
export function requestFault({ control }: Pick<RunningState, 'control'>, request: FaultRequest): Promise<FaultReply> {
  return new Promise((resolve, reject) => {
    const socket = connect(control, () => socket.end(`${JSON.stringify(request)}\n`));
    socket.setTimeout(60_000, () => socket.destroy(new Error('The running stack did not answer.')));
    socket.once('error', reject);
    onFirstLine(socket, (line) => resolve(JSON.parse(line) as FaultReply));
  });
}

function onFirstLine(socket: Socket, onLine: (line: string) => void): void {
  const lines = createInterface({ input: socket });
  lines.once('line', onLine);
  // readline repeats the error of the socket.
  lines.on('error', () => undefined);
}

function listenOnSocket(path: string, reply: (line: string) => Promise<FaultReply>): Promise<Server> {
  rmSync(path, { force: true });
  const server = createServer({ allowHalfOpen: true }, (socket: Socket) => {
    socket.on('error', () => undefined);
    onFirstLine(socket, (line) => void reply(line).then((answer) => socket.end(`${JSON.stringify(answer)}\n`)));
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      // The socket must not keep the process running.
      server.unref();
      resolve(server);
    });
  });
}

async function handleRequest(stack: Stack, injector: FaultInjector, log: Log, line: string): Promise<FaultReply> {
  try {
    const { fault: name, target: requestedTarget, durationMs: requestedMs } = JSON.parse(line) as FaultRequest;
    const fault = faults.find((each) => each.name === name);
    if (fault === undefined)
      return { ok: false, error: `There is no fault named ${name}. \`npm run chaos -- --help\` lists the faults.` };
    const targets = fault.listTargets(stack);
    const target = requestedTarget ?? targets[0];
    if (target === undefined)
      return { ok: false, error: `${name} needs the emulated provider, but this stack uses a real account.` };
    if (!targets.includes(target))
      return {
        ok: false,
        error: `${name} cannot be injected into ${target}. Possible targets: ${targets.join(', ')}.`,
      };
    if (!injector.isAvailable(fault, target))
      return { ok: false, error: 'Another fault is active on the same target. Try again when it has ended.' };
    const durationMs = fault.defaultDurationMs === null ? null : (requestedMs ?? fault.defaultDurationMs);
    const { ended } = await injector.inject(fault, target, durationMs);
    const where = targets.length > 1 ? ` on ${target}` : '';
    log(`chaos: ${name}${where}${durationMs === null ? '' : ` for ${durationMs / 1000} s`}`);
    if (durationMs !== null) void ended.then(() => log(`chaos: ${name}${where} has ended`));
    return {
      ok: true,
      message: `${name}${where}: ${fault.description}${durationMs === null ? '' : `, for ${durationMs / 1000} s`}.`,
      watchFor: fault.watchFor,
    };
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error.message : String(error) };
  }
}
