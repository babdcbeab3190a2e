import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { startPostgres, type PostgresServer } from '@partyline/dev/postgres/postgres';
import { startRedis, type RedisServer } from '@partyline/dev/redis/redis';
import { createMediaServers } from './media-servers.ts';
import { prepareTemplate } from './template.ts';

interface TestServices {
  url: string;
  stop(): Promise<void>;
}

/** Each test file has its own Redis database. More test files in one run are an error. */
const MAX_REDIS_DATABASES = 512;

/**
 * Calls `make` on the first call and shares the result with later calls. `started` does not call
 * it.
 */
function once<T>(make: () => Promise<T>): (() => Promise<T>) & { started: () => Promise<T> | undefined } {
  let result: Promise<T> | undefined;
  return Object.assign(() => (result ??= make()), { started: () => result });
}

/**
 * Serves the test files of one run over loopback HTTP: `POST /database` clones the template,
 * `DELETE /database/<name>` drops a clone, `POST /redis` returns an empty Redis database,
 * `POST /janus` and `POST /kamailio` start media servers (see media-servers.ts).
 */
export async function serveTestServices(): Promise<TestServices> {
  const postgres = once(() => startPostgres());
  const template = once(async () => prepareTemplate(await postgres()));
  const redis = once(() => startRedis({ databases: MAX_REDIS_DATABASES, log: (line) => console.error(line) }));
  const mediaServers = createMediaServers();
  // CREATE DATABASE ... TEMPLATE fails while another session uses the template, so clones are made
  // one at a time.
  let lastClone: Promise<unknown> = Promise.resolve();
  let redisDatabases = 0;

  async function handle(request: IncomingMessage): Promise<unknown> {
    const { method, url = '' } = request;
    if (method === 'POST' && url === '/database') {
      const cloned = lastClone.then(async () => cloneTemplate(await postgres(), await template()));
      lastClone = cloned.catch(() => undefined);
      return cloned;
    }
    if (method === 'DELETE' && url.startsWith('/database/')) {
      await (await postgres()).dropDatabase(decodeURIComponent(url.slice('/database/'.length)));
      return {};
    }
    if (method === 'POST' && url === '/redis') return allocateRedis(await redis(), redisDatabases++);
    const [, kind = '', id, action] = url.split('/');
    if (mediaServers.has(kind)) {
      if (method === 'POST' && id === undefined) return mediaServers.start(kind, await readJson(request));
      if (method === 'POST' && id !== undefined && action !== undefined)
        return mediaServers.act(id, action, await readJson(request));
      if (method === 'DELETE' && id !== undefined) return mediaServers.stop(id);
    }
    throw new Error(`Unknown test service: ${method} ${url}`);
  }

  const server = createServer((request, response) => {
    handle(request)
      .then((body) => ({ status: 200, body }))
      .catch((error: unknown) => ({
        status: 500,
        body: { error: error instanceof Error ? error.message : String(error) },
      }))
      .then(({ status, body }) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      )
      .catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await mediaServers.stopAll();
      // A service that did not start needs no stop.
      const running = await Promise.allSettled([postgres.started(), redis.started()]);
      for (const service of running) if (service.status === 'fulfilled') await service.value?.stop();
    },
  };
}

async function readJson(request: IncomingMessage): Promise<object> {
  const body = await text(request);
  return body === '' ? {} : (JSON.parse(body) as object);
}

async function cloneTemplate(postgres: PostgresServer, template: string): Promise<{ name: string; url: string }> {
  const name = `partyline_test_${randomUUID().replaceAll('-', '').slice(0, 16)}`;
  return { name, url: await postgres.createDatabase(name, template) };
}

/** Uses a numbered database of a local server, or a key prefix on a shared server (REDIS_URL). */
function allocateRedis(redis: RedisServer, index: number): { url: string; prefix: string } {
  const prefix = `t${index}-${randomUUID().slice(0, 8)}`;
  if (redis.external) return { url: redis.url, prefix };
  if (index >= MAX_REDIS_DATABASES)
    throw new Error(`More than ${MAX_REDIS_DATABASES} test files use Redis. Raise MAX_REDIS_DATABASES in serve.ts.`);
  return { url: `${redis.url}/${index}`, prefix };
}
