import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { openEndpointSecrets, formatSecret } from '@partyline/conference/endpoints/endpoint-secrets';
import { buildApps } from '@partyline/dev/build';
import { createCredentials } from '@partyline/dev/stack/credentials';
import { migrate } from '@partyline/dev/postgres/migrate';
import { findFreePort } from '@partyline/dev/processes/ports';
import { startPostgres } from '@partyline/dev/postgres/postgres';
import { startRedis } from '@partyline/dev/redis/redis';
import {
  emulatorEnvironment,
  readyPath,
  serviceEnvironment,
  serviceNames,
  type ServiceName,
} from '@partyline/dev/stack/service-environment';
import { inWorkspace } from '@partyline/dev/workspace';
import { appendEvents } from '@partyline/store/events/append-events';
import { eventId } from '@partyline/store/events/outbox';
import { inTransaction, openStore, type Store } from '@partyline/store/database/store';
import type { Bench, BenchOptions, BenchRun } from '../bench.ts';
import { median, quantile } from '../statistics.ts';
import { startReceiver, type Receiver } from './receiver.ts';

/**
 * Measures the time from an event's commit to its last delivery, compared with bare POSTs of the
 * same body.
 */
export const eventsBench: Bench = {
  summary: 'fan-out of one event to ten endpoints: commit to last delivery, compared with bare node:http POSTs',
  run,
};

const ENDPOINTS = 10;
/** Fewer events give no meaningful 99th percentile. */
const MIN_EVENTS = 20;
const TENANT = 'ten_bench';
const ROOM = 'room_bench';
const SESSION = 'ses_bench';
/** Stands for the provider's APIs, which the measured service never calls. */
const UNUSED_PROVIDER_URL = 'http://127.0.0.1:9';

interface Figures {
  readonly events: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}
type ServerName = 'ours' | 'floor';

export interface Result {
  readonly bench: 'events';
  readonly options: Pick<BenchOptions, 'seconds' | 'rounds'>;
  readonly endpoints: number;
  readonly errors: 0;
  /** Over all rounds. */
  readonly servers: Readonly<Record<ServerName, Figures>>;
  /** Ours divided by floor: the medians of the rounds' ratios. */
  readonly ratios: { readonly p50: number; readonly p99: number };
}

async function run(bench: BenchRun): Promise<object> {
  const { log, print, processes, options } = bench;
  const receiver = processes.add(await startReceiver(ENDPOINTS));
  const store = await startCleanupWorker(bench, receiver.urls);
  const poster = new Worker(join(import.meta.dirname, 'poster.ts'));
  processes.add({ name: 'poster', stop: async () => void (await poster.terminate()) });
  let seq = 0;
  let posted = 0;
  const fanOut: Readonly<Record<ServerName, () => Promise<number>>> = {
    async ours() {
      seq += 1;
      const id = eventId({ room_id: ROOM, session_id: SESSION, endpoint_id: null, seq });
      await inTransaction(store, TENANT, (tx) =>
        appendEvents(tx, TENANT, { roomId: ROOM, sessionId: SESSION, firstSeq: seq }, [
          { type: 'leg.joined', data: { legId: 'leg_bench', kind: 'inbound', participantId: 'part_bench' } },
        ]),
      );
      return measureDelivery(receiver, id);
    },
    async floor() {
      const id = `evt_floor_${(posted += 1)}`;
      const latency = measureDelivery(receiver, id);
      // A worker thread has no origin.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      poster.postMessage({ urls: receiver.urls, id });
      return latency;
    },
  };

  log('warming up ...');
  for (const name of ['ours', 'floor'] as const) await measure(fanOut[name], options.seconds);
  const rounds: Record<ServerName, number[]>[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    const measured = {
      ours: await measure(fanOut.ours, options.seconds),
      floor: await measure(fanOut.floor, options.seconds),
    };
    rounds.push(measured);
    const figures = (['ours', 'floor'] as const).map(
      (name) => `${name} p99 ${quantile(measured[name], 0.99).toFixed(1)} ms (${measured[name].length})`,
    );
    log(`round ${round} of ${options.rounds}: ${figures.join(', ')}`);
  }
  const result = summarise(rounds, options);
  for (const line of formatResult(result)) print(line);
  return result;
}

/** Milliseconds from now until every endpoint got the event. */
async function measureDelivery(receiver: Receiver, id: string): Promise<number> {
  const start = performance.now();
  // The delivery may arrive before the commit returns.
  return Math.max(0, (await receiver.untilDelivered(id)) - start);
}

async function measure(fanOut: () => Promise<number>, seconds: number): Promise<number[]> {
  const latencies: number[] = [];
  const endAt = performance.now() + seconds * 1000;
  while (performance.now() < endAt || latencies.length < MIN_EVENTS) {
    latencies.push(await fanOut());
    // Prevents the events from falling into step with the worker's delivery timer.
    await pause(randomInt(50));
  }
  return latencies;
}

/**
 * Starts the cleanup worker on a Postgres and a Redis of its own, with a tenant's endpoints.
 * Returns its store.
 */
async function startCleanupWorker({ log, processes }: BenchRun, urls: readonly string[]): Promise<Store> {
  const credentials = createCredentials();
  log('building the services ...');
  await buildApps({ log });
  log('starting Postgres and Redis ...');
  const [postgres, redis] = await Promise.all([
    startPostgres({ useOwnServer: true, durable: true }).then(processes.add),
    startRedis({ useOwnServer: true, log }).then(processes.add),
  ]);
  const databaseUrl = await postgres.createDatabase('bench');
  await migrate(databaseUrl);
  const store = openStore({ url: databaseUrl, owner: true, max: 2, onError: (error) => log(String(error)) });
  processes.add({ name: 'store', stop: () => store.close() });
  await store.prisma.tenant.create({ data: { id: TENANT, name: 'Bench' } });
  const secrets = openEndpointSecrets([Buffer.from(credentials.pinKey, 'base64')]);
  for (const [i, url] of urls.entries()) {
    const id = `ep_bench${i}`;
    await store.prisma.endpoint.create({
      data: {
        id,
        tenant_id: TENANT,
        url,
        secret: new Uint8Array(secrets.encrypt(formatSecret(Buffer.alloc(32, i).toString('base64url')), id)),
      },
    });
  }

  log('starting the cleanup worker ...');
  const port = await findFreePort();
  const managementPort = String(await findFreePort());
  const service = `http://127.0.0.1:${port}`;
  const services = Object.fromEntries(serviceNames.map((name) => [name, service])) as Record<ServiceName, string>;
  await processes.start({
    name: 'cleanup-worker',
    command: process.execPath,
    args: [inWorkspace('apps/cleanup-worker/dist/main.js')],
    env: {
      PATH: process.env['PATH'],
      ...serviceEnvironment('cleanup-worker', {
        provider: emulatorEnvironment('unified', UNUSED_PROVIDER_URL, credentials),
        publicWebhookUrl: service,
        urls: services,
        databaseUrl: await postgres.serviceUrlOf(databaseUrl),
        redisUrl: redis.url,
        managementPort,
        credentials,
      }),
      NODE_ENV: 'production',
      ALLOW_INSECURE_CONNECTIONS: 'on',
      LOG_LEVEL: 'silent',
    },
    readiness: { http: `http://127.0.0.1:${managementPort}${readyPath}` },
  });
  return store;
}

const rounded = (value: number): number => Number(value.toPrecision(4));

function summarise(
  rounds: readonly Readonly<Record<ServerName, readonly number[]>>[],
  { seconds, rounds: count }: BenchOptions,
): Result {
  const figures = (name: ServerName): Figures => {
    const all = rounds.flatMap((round) => round[name]);
    return { events: all.length, p50Ms: rounded(quantile(all, 0.5)), p99Ms: rounded(quantile(all, 0.99)) };
  };
  const ratio = (share: number): number =>
    rounded(median(rounds.map((round) => quantile(round.ours, share) / quantile(round.floor, share))));
  return {
    bench: 'events',
    options: { seconds, rounds: count },
    endpoints: ENDPOINTS,
    errors: 0,
    servers: { ours: figures('ours'), floor: figures('floor') },
    ratios: { p50: ratio(0.5), p99: ratio(0.99) },
  };
}

/** Formats the result for printing. */
function formatResult({ servers, ratios, options, endpoints }: Result): string[] {
  const row = (name: string, cells: readonly string[]): string =>
    `  ${name.padEnd(44)}${cells.map((cell) => cell.padStart(12)).join('')}`;
  return [
    '',
    `One event to ${endpoints} endpoints, until its last delivery; ` +
      `${options.rounds} rounds of ${options.seconds} s, one event at a time.`,
    row('', ['p50 ms', 'p99 ms', 'events']),
    ...(
      [
        ['ours', 'Partyline: committed, signed, recorded'],
        ['floor', 'node:http, bare POSTs'],
      ] as const
    ).map(([name, label]) =>
      row(label, [servers[name].p50Ms.toFixed(2), servers[name].p99Ms.toFixed(2), String(servers[name].events)]),
    ),
    row('ours / floor', [ratios.p50.toFixed(1), ratios.p99.toFixed(1)]),
  ];
}
