import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startPostgres, type PostgresServer } from '@partyline/dev/postgres/postgres';
import { startRedis, type RedisServer } from '@partyline/dev/redis/redis';
import { prepareTemplate } from './template.ts';

interface TestServices {
  url: string;
  stop(): Promise<void>;
}

/** Each test file gets a Redis database number of its own; more files than this in one run is an error, not a collision. */
const REDIS_DATABASES = 512;

/** Runs its function once, on the first call; later calls share the result. */
function once<T>(make: () => Promise<T>): (() => Promise<T>) & { made: () => Promise<T> | undefined } {
  let result: Promise<T> | undefined;
  return Object.assign(() => (result ??= make()), { made: () => result });
}

/**
 * Serves the test files of one run over loopback HTTP:
 * `POST /database` clones the template, `DELETE /database/<name>` drops a clone, `POST /redis` gives an empty Redis database.
 */
export async function serveTestServices(): Promise<TestServices> {
  const postgres = once(() => startPostgres());
  const template = once(async () => prepareTemplate(await postgres()));
  const redis = once(() => startRedis({ databases: REDIS_DATABASES, log: (line) => console.error(line) }));
  // CREATE DATABASE … TEMPLATE fails while another session uses the template: one clone at a time.
  let queue: Promise<unknown> = Promise.resolve();
  let redisDatabases = 0;

  async function answer(request: IncomingMessage): Promise<unknown> {
    const { method, url = '' } = request;
    if (method === 'POST' && url === '/database') {
      const cloned = queue.then(async () => clone(await postgres(), await template()));
      queue = cloned.catch(() => undefined);
      return cloned;
    }
    if (method === 'DELETE' && url.startsWith('/database/')) {
      await (await postgres()).dropDatabase(decodeURIComponent(url.slice('/database/'.length)));
      return {};
    }
    if (method === 'POST' && url === '/redis') return redisDatabase(await redis(), redisDatabases++);
    throw new Error(`test services know no ${method} ${url}`);
  }

  const server = createServer((request, response) => {
    answer(request)
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
      // What never started, or failed to start, has nothing to stop.
      const running = await Promise.allSettled([postgres.made(), redis.made()]);
      for (const service of running) if (service.status === 'fulfilled') await service.value?.stop();
    },
  };
}

async function clone(postgres: PostgresServer, template: string): Promise<{ name: string; url: string }> {
  const name = `partyline_test_${randomUUID().replaceAll('-', '').slice(0, 16)}`;
  return { name, url: await postgres.createDatabase(name, template) };
}

/** Our own server: a numbered database each. A shared one (REDIS_URL): its database, told apart by a prefix. */
function redisDatabase(redis: RedisServer, index: number): { url: string; prefix: string } {
  const prefix = `t${index}-${randomUUID().slice(0, 8)}`;
  if (redis.external) return { url: redis.url, prefix };
  if (index >= REDIS_DATABASES)
    throw new Error(`more than ${REDIS_DATABASES} test files want Redis: raise REDIS_DATABASES in serve.ts`);
  return { url: `${redis.url}/${index}`, prefix };
}
