import { tmpdir } from 'node:os';
import { Redis } from 'ioredis';
import { startChild, type Child } from './child.ts';
import { freePort } from './ports.ts';
import { waitUntilReady } from './readiness.ts';
import { findRedis } from './redis-binary.ts';

export interface RedisOptions {
  logFile?: string;
  log?: (line: string) => void;
  /** How many numbered databases to offer; test files take one each. */
  databases?: number;
  /** Listen here instead of on a free port: a demo that kills Redis brings it back at the same address. */
  port?: number;
}

export interface RedisServer {
  readonly name: 'redis';
  readonly url: string;
  /** True when REDIS_URL named it: we neither started it nor end it. */
  readonly external: boolean;
  /** The server's process, when it is ours. */
  readonly child: Child | undefined;
  stop(): Promise<void>;
}

const BIND_ATTEMPTS = 3;

/** Gives a running Redis: the one REDIS_URL names, or an empty one of our own that ends with this process. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const given = process.env.REDIS_URL;
  if (given) {
    await ping(given);
    return { name: 'redis', url: given, external: true, child: undefined, stop: () => Promise.resolve() };
  }
  const binary = await findRedis(options.log ?? (() => undefined));
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', tmpdir()];
    const child = startChild({
      name: 'redis',
      command: binary.path,
      // BullMQ asks for noeviction: a job must never be dropped to make room.
      args: [...settings, '--databases', String(options.databases ?? 16), '--maxmemory-policy', 'noeviction'],
      env: { ...process.env, ...binary.env },
      logFile: options.logFile,
    });
    try {
      await waitUntilReady(child, { line: /Ready to accept connections/i });
    } catch (error) {
      await child.stop();
      if (!options.port && attempt < BIND_ATTEMPTS && /Address already in use|Could not create server/i.test(child.tail())) continue;
      throw error;
    }
    return { name: 'redis', url: `redis://127.0.0.1:${port}`, external: false, child, stop: () => child.stop() };
  }
}

async function ping(url: string): Promise<void> {
  const client = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null });
  // Without a listener ioredis prints the error a second time.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    throw new Error('REDIS_URL is set but its server does not answer. Start it, or unset REDIS_URL to use a server of our own.', {
      cause: error,
    });
  } finally {
    client.disconnect();
  }
}
