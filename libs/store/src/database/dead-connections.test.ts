import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { timeoutsOf } from './connections.ts';
import { openStore, type Store } from './store.ts';

/** The provider's timeout of a webhook (contract §3). */
const WEBHOOK_TIMEOUT_MS = 5_000;
const WEBHOOK_STATEMENT_TIMEOUT_MS = 1_900;
/** Long, because the spare time for a new connection is an eighth of it. */
const STATEMENT_TIMEOUT_MS = 20_000;

let database: TestDatabase;
let proxy: Server;
let url: string;
const sockets = new Set<Socket>();
const stores: Store[] = [];
/** Freezes all current connections silently. New connections work. */
let freezeConnections = (): void => undefined;

beforeAll(async () => {
  database = await createTestDatabase();
  const server = new URL(database.url);
  proxy = createServer((client) => {
    const upstream = connect(Number(server.port), server.hostname);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => other.destroy());
      socket.pipe(other);
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const through = new URL(database.url);
  through.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  url = through.href;
  freezeConnections = () => {
    for (const socket of sockets) {
      socket.unpipe();
      socket.pause();
    }
  };
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all(stores.splice(0).map((store) => store.close()));
});
afterAll(async () => {
  proxy.close();
  await database.drop();
});

function open(options: { statementTimeoutMs?: number } = {}): Store {
  const store = openStore({ owner: true, url, max: 2, onError: () => undefined, ...options });
  stores.push(store);
  return store;
}
const runQuery = (store: Store): Promise<unknown> => store.pool.query('SELECT 1');
/**
 * Freezes all connections of the pool while they are in use. Returns the outcomes of their queries.
 */
async function killBusyConnections(store: Store): Promise<() => Promise<string[]>> {
  const connections = [await store.pool.connect(), await store.pool.connect()];
  freezeConnections();
  const lost = Promise.all(
    connections.map((connection) =>
      connection.query('SELECT 1').then(
        () => 'answered',
        (error: Error) => {
          connection.release(error);
          return error.message;
        },
      ),
    ),
  );
  return () => lost;
}

describe('a pool whose connections all died silently', () => {
  it('serves the requests that wait for a connection', async () => {
    const store = open({ statementTimeoutMs: STATEMENT_TIMEOUT_MS });
    const lost = await killBusyConnections(store);
    const waiting = await Promise.allSettled([runQuery(store), runQuery(store), runQuery(store)]);
    expect(waiting.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    expect(await lost()).toEqual(['Query read timeout', 'Query read timeout']);
  });

  it('fails a webhook request before the provider times out', () => {
    const { connectMs, checkMs, noAnswerMs } = timeoutsOf(WEBHOOK_STATEMENT_TIMEOUT_MS);
    expect(connectMs + checkMs + noAnswerMs).toBeLessThan(WEBHOOK_TIMEOUT_MS);
  });
});
