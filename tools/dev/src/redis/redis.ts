import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startChild, type Child } from '../processes/child.ts';
import { findFreePort } from '../processes/ports.ts';
import { waitUntilReady } from '../processes/readiness.ts';
import { followServer } from '../processes/server-process.ts';
import { findRedis } from './redis-binary.ts';

export interface RedisOptions {
  logFile?: string;
  log?: (line: string) => void;
  /** Number of databases. Each test file uses one. */
  databases?: number;
  /** Start our own server even if REDIS_URL is set, for a run that kills it. */
  useOwnServer?: boolean;
}

export interface RedisServer {
  readonly name: 'redis';
  readonly url: string;
  /** True if the server comes from REDIS_URL. It is then never stopped. */
  readonly external: boolean;
  /** Kills the server; all data is lost. Rejects for an external server. */
  crash(): Promise<void>;
  /** Starts a crashed server again, empty, on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const MAX_BIND_ATTEMPTS = 3;

/** Returns the server of REDIS_URL, or starts an empty one that ends with this process. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const given = options.useOwnServer ? undefined : process.env.REDIS_URL;
  if (given) {
    await ping(given);
    const rejectExternal = (): Promise<never> =>
      Promise.reject(new Error('The Redis server of REDIS_URL cannot be stopped or restarted.'));
    return {
      name: 'redis',
      url: given,
      external: true,
      crash: rejectExternal,
      restart: rejectExternal,
      stop: () => Promise.resolve(),
    };
  }
  const binary = await findRedis(options.log ?? (() => undefined));
  const password = randomBytes(24).toString('base64url');
  const launchOnPort = async (port: number): Promise<Child> => {
    // In a file, because every local user can read the arguments of a process.
    const folder = mkdtempSync(join(tmpdir(), 'partyline-redis-'));
    const file = join(folder, 'redis.conf');
    writeFileSync(file, `requirepass ${password}\n`, { mode: 0o600 });
    const settings = [
      file,
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      tmpdir(),
    ];
    const child = startChild({
      name: 'redis',
      command: binary.path,
      // BullMQ requires noeviction: Redis must never drop a job to free memory.
      args: [...settings, '--databases', String(options.databases ?? 16), '--maxmemory-policy', 'noeviction'],
      env: { ...process.env, ...binary.env },
      logFile: options.logFile,
    });
    try {
      await waitUntilReady(child, { line: /Ready to accept connections/i });
      return child;
    } catch (error) {
      await child.stop();
      throw error;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  for (let attempt = 1; ; attempt += 1) {
    const port = await findFreePort();
    try {
      const { crash, restart, stop } = followServer(await launchOnPort(port), () => launchOnPort(port));
      return {
        name: 'redis',
        url: `redis://:${password}@127.0.0.1:${port}`,
        external: false,
        crash,
        restart,
        stop,
      };
    } catch (error) {
      // Another process bound the port after the probe.
      if (attempt < MAX_BIND_ATTEMPTS && /Address already in use|Could not create server/i.test(String(error)))
        continue;
      throw error;
    }
  }
}

async function ping(url: string): Promise<void> {
  const client = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null });
  // Without a listener, ioredis prints the error as well.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    throw new Error(
      'The server of REDIS_URL does not answer. Start it, or unset REDIS_URL to start one automatically.',
      {
        cause: error,
      },
    );
  } finally {
    client.disconnect();
  }
}
