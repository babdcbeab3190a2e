import { buildApps } from '@partyline/dev/build';
import { until } from '@partyline/dev/processes/until';
import type { BaresipPhone } from '@partyline/dev/phones/baresip';
import { startStack, type Stack } from '@partyline/dev/stack/stack';
import type { SelfHosted } from '@partyline/dev/stack/self-hosted';
import type { CreatedRoom, RoomDetails } from '@partyline/contracts/rooms/room';
import type { Bench, BenchOptions, BenchRun } from '../bench.ts';
import { assertProcAvailable } from '../processor-time.ts';
import { quantile } from '../statistics.ts';
import { churnCalls, dialTogether, hangUpAll, startPhones } from './callers.ts';
import { readHoldings, readMemory, readProcessorTime, SERVERS, type ByServer, type Holdings } from './figures.ts';
import { measureJanusAlone } from './janus-alone.ts';

/** Calls and the CPU time, memory and first sound that they take, at our own servers. */
export const selfHostedBench: Bench = {
  summary: 'calls at our own servers: calls per core, compared with Janus alone; first sound, memory, leaks',
  run,
};

/** Phones in one room. */
const ROOM_SIZE = 5;
/** Calls that are dialled in one instant, beside `--calls`. */
const CALLS_AT_ONCE = [1, 20] as const;
/** The joined calls settle before they are measured. */
const SETTLE_MS = 2_000;
const JOIN_TIMEOUT_MS = 30_000;
/** Lines at Janus are free some moments after their call. */
const RELEASE_TIMEOUT_MS = 60_000;

interface FirstSound {
  readonly calls: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Result {
  readonly bench: 'self-hosted';
  readonly options: Pick<BenchOptions, 'seconds' | 'rounds' | 'calls'>;
  readonly firstSound: readonly FirstSound[];
  /** Share of a core for one call, by server. */
  readonly corePerCall: ByServer;
  readonly callsPerCore: number;
  /** Janus alone, with as many participants. */
  readonly janusAloneCallsPerCore: number;
  /** Our calls per core, relative to Janus alone. */
  readonly ratio: number;
  readonly memoryPerCallKb: { readonly gateway: number; readonly janus: number };
  readonly churn: {
    readonly calls: number;
    readonly unanswered: number;
    readonly before: Holdings;
    readonly after: Holdings;
    readonly left: boolean;
  };
}

async function run(bench: BenchRun): Promise<Result> {
  assertProcAvailable();
  const { log, print, processes, options } = bench;
  await buildApps({ log });
  const stack = await startStack({
    mode: 'unified',
    gateways: 1,
    useOwnServers: true,
    log,
    environment: { LOG_LEVEL: 'warn' },
  });
  processes.add({ name: 'the stack of the bench', stop: () => stack.stop() });
  const selfHosted = stack.selfHosted!;
  const uri = `sip:${stack.numbers[0]!.e164}@${selfHosted.kamailio.sipUri}`;
  const rooms = await createRooms(stack, Math.ceil(options.calls / ROOM_SIZE));
  log(`starting ${options.calls} phones ...`);
  const phones = await startPhones(options.calls, log);
  processes.add({ name: 'phones', stop: () => Promise.all(phones.map((phone) => phone.stop())).then(() => undefined) });

  const firstSound: FirstSound[] = [];
  for (const calls of [...CALLS_AT_ONCE.filter((each) => each < options.calls), options.calls]) {
    const times: number[] = [];
    for (let round = 0; round < options.rounds; round += 1) {
      const callers = await dialTogether(phones.slice(0, calls), uri);
      times.push(...callers.map(({ firstSoundMs }) => firstSoundMs));
      await hangUpAll(callers.map(({ phone }) => phone));
      await waitUntilFree(selfHosted);
    }
    const figures = { calls, p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
    firstSound.push(figures);
    log(`${calls} calls at once: first sound p50 ${figures.p50Ms} ms, p99 ${figures.p99Ms} ms`);
  }

  const load = await measureLoad(bench, stack, { phones, rooms, uri });
  log(
    `${options.calls} calls: ${SERVERS.map((name) => `${name} ${percent(load.corePerCall[name])}`).join(', ')} of a core each`,
  );
  const churn = await measureChurn(bench, stack, selfHosted);
  log(
    `${churn.calls} short calls, ${churn.unanswered} unanswered: ${churn.left ? 'something is left' : 'nothing is left'}`,
  );
  await Promise.all(phones.map((phone) => phone.stop()));
  await stack.stop();
  const alone = await measureJanusAlone(bench, {
    participants: options.calls,
    roomSize: ROOM_SIZE,
    seconds: options.seconds,
  });

  const perCall = SERVERS.reduce((sum, name) => sum + load.corePerCall[name], 0);
  const result: Result = {
    bench: 'self-hosted',
    options: { seconds: options.seconds, rounds: options.rounds, calls: options.calls },
    firstSound,
    ...load,
    callsPerCore: Math.round(1 / perCall),
    janusAloneCallsPerCore: Math.round(1 / alone),
    ratio: Math.round((alone / perCall) * 1_000) / 1_000,
    churn,
  };
  for (const { calls, p50Ms, p99Ms } of firstSound)
    print(`first sound, ${String(calls).padStart(2)} calls at once   p50 ${p50Ms} ms, p99 ${p99Ms} ms`);
  print(
    `calls per core               ${result.callsPerCore}; Janus alone ${result.janusAloneCallsPerCore}; ratio ${result.ratio}`,
  );
  print(
    `memory per call              gateway ${load.memoryPerCallKb.gateway} kB, Janus ${load.memoryPerCallKb.janus} kB`,
  );
  print(
    `after ${churn.calls} calls             ${churn.unanswered} unanswered; ${churn.left ? 'something is left' : 'nothing is left'}`,
  );
  return result;
}

interface Room {
  readonly id: string;
  readonly pin: string;
}

async function request<Reply>(stack: Stack, method: string, path: string, body?: unknown): Promise<Reply> {
  const response = await fetch(`${stack.urls['room-api']}/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${stack.apiKey}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Reply;
}

async function createRooms(stack: Stack, count: number): Promise<readonly Room[]> {
  const number = stack.numbers[0]!.e164;
  const rooms: Room[] = [];
  for (let index = 0; index < count; index += 1) {
    const { room, pin } = await request<CreatedRoom>(stack, 'POST', '/rooms', { name: `Bench ${index}`, number });
    rooms.push({ id: room.id, pin });
  }
  return rooms;
}

/** Joins every phone to its room, and measures the servers while all of them speak. */
async function measureLoad(
  { log, options }: BenchRun,
  stack: Stack,
  { phones, rooms, uri }: { phones: readonly BaresipPhone[]; rooms: readonly Room[]; uri: string },
): Promise<Pick<Result, 'corePerCall' | 'memoryPerCallKb'>> {
  const selfHosted = stack.selfHosted!;
  const memoryBefore = readMemory(selfHosted);
  await dialTogether(phones, uri);
  await Promise.all(phones.map((phone, index) => phone.pressKeys(`${rooms[Math.floor(index / ROOM_SIZE)]!.pin}#`)));
  const areJoined = async (): Promise<boolean> => {
    const details = await Promise.all(rooms.map(({ id }) => request<RoomDetails>(stack, 'GET', `/rooms/${id}`)));
    return (
      phones.length ===
      details.reduce((sum, { legs }) => sum + legs.filter(({ state }) => state === 'joined').length, 0)
    );
  };
  await until('all phones are in their rooms', areJoined, JOIN_TIMEOUT_MS, 500);
  await new Promise((resume) => setTimeout(resume, SETTLE_MS));
  log('measuring the joined calls ...');
  const before = readProcessorTime(selfHosted);
  const startedAt = performance.now();
  await new Promise((resume) => setTimeout(resume, options.seconds * 1_000));
  const elapsed = (performance.now() - startedAt) / 1_000;
  const after = readProcessorTime(selfHosted);
  const memory = readMemory(selfHosted);
  await hangUpAll(phones);
  const share = (name: (typeof SERVERS)[number]): number => (after[name] - before[name]) / elapsed / phones.length;
  const perCallKb = (name: 'gateway' | 'janus'): number =>
    Math.round((memory[name] - memoryBefore[name]) / phones.length / 1_024);
  return {
    corePerCall: { gateway: share('gateway'), janus: share('janus'), kamailio: share('kamailio') },
    memoryPerCallKb: { gateway: perCallKb('gateway'), janus: perCallKb('janus') },
  };
}

/** Waits until the lines of earlier calls are free, so that they do not disturb the next measurement. */
async function waitUntilFree(selfHosted: SelfHosted): Promise<void> {
  const isFree = async (): Promise<boolean> => {
    const { dialogs, handles } = await readHoldings(selfHosted);
    return dialogs === 0 && handles['sip in use'] === undefined;
  };
  await until('the lines of the earlier calls are free', isFree, RELEASE_TIMEOUT_MS, 500);
  await new Promise((resume) => setTimeout(resume, SETTLE_MS));
}

/** Places many short calls, and compares what the servers hold before and after. */
async function measureChurn(
  { log, options: { churn: calls } }: BenchRun,
  stack: Stack,
  selfHosted: SelfHosted,
): Promise<Result['churn']> {
  const number = stack.numbers[0]!.e164;
  await waitUntilFree(selfHosted);
  const before = await readHoldings(selfHosted);
  log(`placing ${calls} short calls ...`);
  const unanswered = await churnCalls(selfHosted.kamailio.sipUri, number, calls, log);
  const isAsBefore = async (): Promise<boolean> => isSame(before, await readHoldings(selfHosted));
  await until('the servers hold what they held before', isAsBefore, RELEASE_TIMEOUT_MS, 500).catch(() => undefined);
  const after = await readHoldings(selfHosted);
  return { calls, unanswered, before, after, left: !isSame(before, after) };
}

/** Connections for webhooks stay open for the next ones: at most one for each call that is up. */
const SLACK_FILES = 40;

const isSame = (before: Holdings, after: Holdings): boolean =>
  before.dialogs === after.dialogs &&
  JSON.stringify(before.handles) === JSON.stringify(after.handles) &&
  after.gatewayFiles <= before.gatewayFiles + SLACK_FILES &&
  after.janusFiles <= before.janusFiles + SLACK_FILES;

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
