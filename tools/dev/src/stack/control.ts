import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { faults } from '../faults/faults.ts';
import { createFaultPlayer, type FaultPlayer } from '../faults/play-faults.ts';
import type { Log } from '../processes/processes.ts';
import type { Stack } from './stack.ts';
import { stateFolder } from '../workspace.ts';

/** What `npm start` leaves in .partyline/ while it runs, for tools that want to talk to it. Holds no secret. */
interface RunningState {
  readonly pid: number;
  readonly startedAt: string;
  readonly urls: Stack['urls'];
  readonly vendor: string | null;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly logFolder: string;
  readonly processes: readonly { readonly name: string; readonly pid: number | null }[];
  /** A unix socket: one JSON line in, one out. */
  readonly control: string;
}

interface FaultRequest {
  readonly fault: string;
  readonly on?: string;
  readonly forMs?: number;
}
type FaultReply =
  { readonly ok: true; readonly did: string; readonly watch: string } | { readonly ok: false; readonly why: string };

const stateFile = (): string => join(stateFolder(), 'running.json');

/** A unix socket's path may have 107 bytes; a checkout may lie deeper. */
const LONGEST_PATH = 100;

/** Lets tools play faults on a running stack, and says where it is; ended by what it returns. */
export async function openControl(stack: Stack, log: Log): Promise<{ close(): Promise<void> }> {
  const player = createFaultPlayer(stack, (error) => log(`${error.message}: ${String(error.cause)}`));
  const near = join(stateFolder(), `control-${process.pid}.sock`);
  const folder = near.length <= LONGEST_PATH ? undefined : mkdtempSync(join(tmpdir(), 'partyline-'));
  const path = folder === undefined ? near : join(folder, 'control.sock');
  const server = await listen(path, (line) => answer(stack, player, log, line));
  const state: RunningState = {
    pid: process.pid,
    startedAt: new Date().toISOString(),
    urls: stack.urls,
    vendor: stack.vendor?.baseUrl ?? null,
    databaseUrl: stack.databaseUrl,
    redisUrl: stack.redisUrl,
    logFolder: stack.logFolder,
    processes: stack.instances.map(({ name, child }) => ({ name, pid: child?.pid ?? null })),
    control: path,
  };
  writeFileSync(stateFile(), `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  return {
    async close() {
      server.close();
      rmSync(path, { force: true });
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
      // Another stack of this checkout may have started since.
      if (readRunningState()?.pid === process.pid) rmSync(stateFile(), { force: true });
      // A frozen process would not hear that it is to end.
      await player.endAll();
    },
  };
}

/** What is running, if anything says so. */
export function readRunningState(): RunningState | null {
  try {
    return JSON.parse(readFileSync(stateFile(), 'utf8')) as RunningState;
  } catch {
    return null;
  }
}

/** Asks a running stack to play a fault. Rejects when nobody is there. */
export function requestFault({ control }: Pick<RunningState, 'control'>, request: FaultRequest): Promise<FaultReply> {
  return new Promise((resolve, reject) => {
    const socket = connect(control, () => socket.end(`${JSON.stringify(request)}\n`));
    socket.setTimeout(60_000, () => socket.destroy(new Error('The running stack did not answer.')));
    socket.once('error', reject);
    firstLine(socket, (line) => resolve(JSON.parse(line) as FaultReply));
  });
}

function firstLine(socket: Socket, take: (line: string) => void): void {
  const lines = createInterface({ input: socket });
  lines.once('line', take);
  // It tells the socket's own error a second time.
  lines.on('error', () => undefined);
}

function listen(path: string, reply: (line: string) => Promise<FaultReply>): Promise<Server> {
  rmSync(path, { force: true });
  const server = createServer({ allowHalfOpen: true }, (socket: Socket) => {
    socket.on('error', () => undefined);
    firstLine(socket, (line) => void reply(line).then((said) => socket.end(`${JSON.stringify(said)}\n`)));
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      // It is no reason to stay.
      server.unref();
      resolve(server);
    });
  });
}

async function answer(stack: Stack, player: FaultPlayer, log: Log, line: string): Promise<FaultReply> {
  try {
    const { fault: name, on, forMs } = JSON.parse(line) as FaultRequest;
    const fault = faults.find((each) => each.name === name);
    if (fault === undefined)
      return { ok: false, why: `There is no fault called ${name}. npm run chaos -- --help lists them.` };
    const targets = fault.targets(stack);
    const target = on ?? targets[0];
    if (target === undefined)
      return { ok: false, why: `${name} needs the emulated vendor, and this stack has a real one.` };
    if (!targets.includes(target))
      return { ok: false, why: `${name} can be played on ${targets.join(', ')}; not on ${target}.` };
    if (!player.free(fault, target))
      return { ok: false, why: 'Another fault holds the same thing; wait until it is over.' };
    const lasts = fault.lastsMs === null ? null : (forMs ?? fault.lastsMs);
    const { over } = await player.play(fault, target, lasts);
    const where = targets.length > 1 ? ` on ${target}` : '';
    log(`chaos: ${name}${where}${lasts === null ? '' : ` for ${lasts / 1000} s`}`);
    if (lasts !== null) void over.then(() => log(`chaos: ${name}${where} is over`));
    return {
      ok: true,
      did: `${name}${where}: ${fault.says}${lasts === null ? '' : `, for ${lasts / 1000} s from now`}.`,
      watch: fault.watch,
    };
  } catch (error) {
    return { ok: false, why: error instanceof Error ? error.message : String(error) };
  }
}
