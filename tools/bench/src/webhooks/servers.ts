import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { buildApps } from '@partyline/dev/build';
import { createCredentials, type Credentials } from '@partyline/dev/stack/credentials';
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
import { Redis } from 'ioredis';
import pg from 'pg';
import type { BenchRun } from '../bench.ts';
import { parentPidOf } from '../processor-time.ts';
import type { Target } from './callers.ts';
import { seedRooms } from './seed.ts';

export const SERVERS = ['ours', 'echo', 'express'] as const;
export type ServerName = (typeof SERVERS)[number];

/** Stands for the provider's APIs, which the measured service never calls. */
const UNUSED_PROVIDER_URL = 'http://127.0.0.1:9';

export interface Server {
  readonly pid: number;
  readonly target: Target;
}

export interface Servers {
  readonly credentials: Credentials;
  readonly byName: Readonly<Record<ServerName, Server>>;
  /** The stores of the measured service. */
  readonly postgresPid: number;
  readonly redisPid: number;
}

/** Starts voice-webhooks with its rooms on a Postgres and a Redis of its own, and the peers. */
export async function startServers(run: BenchRun): Promise<Servers> {
  assertExpressInstalled();
  const { log, processes, options } = run;
  const credentials = createCredentials();

  log('building the services ...');
  await buildApps({ log });
  log('starting Postgres and Redis ...');
  // Durable as in production: an answered call is still stored after a power failure.
  const [postgres, redis] = await Promise.all([
    startPostgres({ useOwnServer: true, durable: true }).then(processes.add),
    startRedis({ useOwnServer: true, log }).then(processes.add),
  ]);
  const databaseUrl = await postgres.createDatabase('bench');
  await migrate(databaseUrl);
  log(`seeding ${options.pins} rooms, each with a PIN ...`);
  await seedRooms(databaseUrl, credentials, options.pins);

  log('starting the servers ...');
  const byName = {
    ours: await startVoiceWebhooks(run, {
      databaseUrl: await postgres.serviceUrlOf(databaseUrl),
      redisUrl: redis.url,
      credentials,
    }),
    echo: await startPeer(run, 'echo'),
    express: await startPeer(run, 'express'),
  };
  return {
    credentials,
    byName,
    postgresPid: await findPostmasterPid(databaseUrl),
    redisPid: await findRedisPid(redis.url),
  };
}

async function startVoiceWebhooks(
  { processes, options }: BenchRun,
  at: { databaseUrl: string; redisUrl: string; credentials: Credentials },
): Promise<Server> {
  const port = await findFreePort();
  const managementPort = String(await findFreePort());
  const url = `http://127.0.0.1:${port}`;
  // No other service of the stack runs, so jobs and due work stay pending.
  const urls = Object.fromEntries(serviceNames.map((name) => [name, url])) as Record<ServiceName, string>;
  const child = await processes.start({
    name: 'voice-webhooks',
    command: process.execPath,
    args: [...profilingArguments(options.profile), inWorkspace('apps/voice-webhooks/dist/main.js')],
    env: {
      PATH: process.env['PATH'],
      ...serviceEnvironment('voice-webhooks', {
        provider: emulatorEnvironment('unified', UNUSED_PROVIDER_URL, at.credentials),
        publicWebhookUrl: url,
        urls,
        managementPort,
        ...at,
      }),
      NODE_ENV: 'production',
      ALLOW_INSECURE_CONNECTIONS: 'on',
    },
    readiness: { http: `http://127.0.0.1:${managementPort}${readyPath}` },
  });
  return { pid: child.pid, target: { name: 'ours', port, answerPath: '/v1/voice/answer' } };
}

function profilingArguments(folder: string | undefined): string[] {
  if (folder === undefined) return [];
  mkdirSync(folder, { recursive: true });
  return ['--cpu-prof', `--cpu-prof-dir=${resolve(folder)}`];
}

async function startPeer({ processes, options }: BenchRun, name: 'echo' | 'express'): Promise<Server> {
  const port = await findFreePort();
  const child = await processes.start({
    name,
    command: process.execPath,
    args: [join(import.meta.dirname, `${name}-peer.ts`), String(port), String(options.pins)],
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', ALLOW_INSECURE_CONNECTIONS: 'on' },
    readiness: { line: /^listening$/ },
  });
  return { pid: child.pid, target: { name, port, answerPath: '/answer' } };
}

/** The process of every database connection is a child of the postmaster. */
async function findPostmasterPid(databaseUrl: string): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return parentPidOf(rows[0]!.pid);
  } finally {
    await client.end();
  }
}

/** Reads the process id from Redis's INFO command. */
async function findRedisPid(redisUrl: string): Promise<number> {
  const redis = new Redis(redisUrl);
  try {
    const pid = /^process_id:(\d+)\r$/m.exec(await redis.info('server'))?.[1];
    if (pid === undefined) throw new Error('Redis does not report its process id.');
    return Number(pid);
  } finally {
    redis.disconnect();
  }
}

/** Checks this first, before the minute that the other steps take. */
function assertExpressInstalled(): void {
  try {
    if (existsSync(createRequire(import.meta.url).resolve('express'))) return;
  } catch {
    // Reported below.
  }
  throw new Error(
    'Express, the peer of this bench, is not installed. Run npm install in the top folder of the checkout.',
  );
}
