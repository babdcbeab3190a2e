import { join } from 'node:path';
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
import { seed } from '@partyline/store/tenants/seed';
import { openStore, type Store } from '@partyline/store/database/store';
import type { BenchRun } from '../bench.ts';

export const SERVERS = ['ours', 'oursKeyed', 'row', 'map'] as const;
export type ServerName = (typeof SERVERS)[number];

export interface Target {
  readonly port: number;
  readonly path: string;
  /** The headers of the next request. */
  readonly headers: () => Readonly<Record<string, string>>;
}

export interface Servers {
  readonly byName: Readonly<Record<ServerName, Target>>;
  /**
   * Ends all rooms, since the number of a tenant's rooms is limited. Called between measurements.
   */
  endRooms(): Promise<void>;
}

const PREFIX = 'bench';
/** Stands for the provider's APIs, which the measured service never calls. */
const UNUSED_PROVIDER_URL = 'http://127.0.0.1:9';

/**
 * Starts the built room-api on a Postgres and a Redis of its own, and the peers. The row peer uses
 * the same Postgres.
 */
export async function startServers({ log, processes }: BenchRun): Promise<Servers> {
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
  const store = openStore({ owner: true, url: databaseUrl, max: 2, onError: () => undefined });
  processes.add({ name: 'database connections of the bench', stop: () => store.close() });
  await seedDatabase(store, credentials);

  log('starting the servers ...');
  const startNode = async (name: string, args: readonly string[]): Promise<void> => {
    await processes.start({
      name,
      command: process.execPath,
      args: ['--conditions=@partyline/source', ...args],
      env: { PATH: process.env['PATH'], NODE_ENV: 'production', ALLOW_INSECURE_CONNECTIONS: 'on' },
      readiness: { line: /^listening$/ },
    });
  };
  const file = (name: string): string => join(import.meta.dirname, `${name}.ts`);
  const [ours, row, map] = [await findFreePort(), await findFreePort(), await findFreePort()];
  const managementPort = String(await findFreePort());
  await startNode('orchestrator', [file('orchestrator'), redis.url, PREFIX]);
  await startNode('row', [file('row-peer'), String(row), databaseUrl]);
  await startNode('map', [file('map-peer'), String(map)]);
  const url = `http://127.0.0.1:${ours}`;
  const urls = Object.fromEntries(serviceNames.map((name) => [name, url])) as Record<ServiceName, string>;
  const environment = serviceEnvironment('room-api', {
    provider: emulatorEnvironment('unified', UNUSED_PROVIDER_URL, credentials),
    publicWebhookUrl: url,
    urls,
    databaseUrl: await postgres.serviceUrlOf(databaseUrl),
    redisUrl: redis.url,
    managementPort,
    credentials,
  });
  await processes.start({
    name: 'room-api',
    command: process.execPath,
    args: [inWorkspace('apps/room-api/dist/main.js')],
    env: {
      PATH: process.env['PATH'],
      ...environment,
      REDIS_PREFIX: PREFIX,
      NODE_ENV: 'production',
      ALLOW_INSECURE_CONNECTIONS: 'on',
    },
    readiness: { http: `http://127.0.0.1:${managementPort}${readyPath}` },
  });

  const authorization = `Bearer ${credentials.apiKey}`;
  let sentKeys = 0;
  return {
    byName: {
      ours: { port: ours, path: '/v1/rooms', headers: () => ({ authorization }) },
      oursKeyed: {
        port: ours,
        path: '/v1/rooms',
        headers: () => ({ authorization, 'idempotency-key': `bench-${(sentKeys += 1)}` }),
      },
      row: { port: row, path: '/rooms', headers: () => ({}) },
      map: { port: map, path: '/rooms', headers: () => ({}) },
    },
    async endRooms() {
      await store.pool.query(`UPDATE room SET state = 'ended', ended_at = now() WHERE state = 'active'`);
      await store.pool.query(
        `UPDATE pin SET quarantined_until = now() + interval '1 day' WHERE quarantined_until IS NULL`,
      );
      // Prevents autovacuum from running in the middle of a measurement.
      await store.pool.query('VACUUM ANALYZE');
    },
  };
}

async function seedDatabase(store: Store, { tenantId, apiKey }: Credentials): Promise<void> {
  await seed(store, { tenantId, tenantName: 'Bench', apiKey, numbers: [{ e164: '+12025550100', language: 'en-US' }] });
  await store.pool.query('UPDATE tenant SET max_live_rooms = 1000000, max_requests_per_minute = 1000000');
  await store.pool.query(
    `CREATE TABLE plain_room (
       id text PRIMARY KEY,
       name text NOT NULL,
       pin text NOT NULL,
       created_at timestamptz NOT NULL DEFAULT now()
     )`,
  );
}
