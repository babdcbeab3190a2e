import { tmpdir } from 'node:os';
import { Redis } from 'ioredis';
import { startChild, type Child } from '../processes/child.ts';
import { freePort } from '../processes/ports.ts';
import { waitUntilReady } from '../processes/readiness.ts';
import { findRedis } from './redis-binary.ts';

export interface RedisOptions {
  logFile?: string;
  log?: (line: string) => void;
  /** How many numbered databases to offer; test files take one each. */
  databases?: number;
  /** Our own server even when REDIS_URL names another: one that is to be killed on purpose. */
  own?: boolean;
}

export interface RedisServer {
  readonly name: 'redis';
  readonly url: string;
  /** True when REDIS_URL named it: we neither started it nor end it. */
  readonly external: boolean;
  /** Ends it at once, and all that it held with it; throws when it is not ours. */
  crash(): Promise<void>;
  /** Starts it again, empty, at its old address, after it was crashed. */
  startAgain(): Promise<void>;
  stop(): Promise<void>;
}

const BIND_ATTEMPTS = 3;

/** Gives a running Redis: the one REDIS_URL names, or an empty one of our own that ends with this process. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const given = options.own ? undefined : process.env.REDIS_URL;
  if (given) {
    await ping(given);
    const notOurs = (): Promise<never> =>
      Promise.reject(new Error('This Redis is the one that REDIS_URL names, and not ours to stop.'));
    return {
      name: 'redis',
      url: given,
      external: true,
      crash: notOurs,
      startAgain: notOurs,
      stop: () => Promise.resolve(),
    };
  }
  const binary = await findRedis(options.log ?? (() => undefined));
  const launch = async (port: number): Promise<Child> => {
    const settings = [
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
      // BullMQ asks for noeviction: a job must never be dropped to make room.
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
    }
  };
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      let child = await launch(port);
      let starting: Promise<void> | undefined;
      return {
        name: 'redis',
        url: `redis://127.0.0.1:${port}`,
        external: false,
        async crash() {
          child.kill('SIGKILL');
          await child.ended;
        },
        startAgain: () => (starting = launch(port).then((again) => void (child = again))),
        async stop() {
          // One that is just being started again must be waited for, or it would be left over.
          await starting?.catch(() => undefined);
          await child.stop();
        },
      };
    } catch (error) {
      // Someone else bound the port between the probe and our bind.
      if (attempt < BIND_ATTEMPTS && /Address already in use|Could not create server/i.test(String(error))) continue;
      throw error;
    }
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
    throw new Error(
      'REDIS_URL is set but its server does not answer. Start it, or unset REDIS_URL to use a server of our own.',
      {
        cause: error,
      },
    );
  } finally {
    client.disconnect();
  }
}
