import { backoff } from '@partyline/domain/backoff';
import { Redis, type RedisOptions } from 'ioredis';

/** Options that ioredis, BullMQ and Nest all accept; their types of `retryStrategy` differ. */
type ConnectionSettings = Omit<RedisOptions, 'retryStrategy'> & { readonly retryStrategy: (times: number) => number };

/** Converts a Redis URL to connection options. */
function parseRedisUrl(url: string): Omit<RedisOptions, 'retryStrategy'> {
  const { hostname, port, username, password, pathname, protocol } = new URL(url);
  return {
    host: hostname,
    port: Number(port || 6379),
    ...(username ? { username: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
    db: Number(pathname.slice(1) || 0),
    ...(protocol === 'rediss:' ? { tls: {} } : {}),
  };
}

/**
 * A connection whose answer does not come is closed and opened again: packets may be dropped
 * without an error (a firewall, a lost node). Longer than any blocking read of the workers
 * (libs/jobs), and with the interval of the checks below ten seconds.
 */
const SOCKET_TIMEOUT_MS = 4_000;
const CHECK_INTERVAL_MS = 2_000;

/** Options of every connection. */
const common = (url: string) =>
  ({
    ...parseRedisUrl(url),
    socketTimeout: SOCKET_TIMEOUT_MS,
    connectTimeout: SOCKET_TIMEOUT_MS,
    retryStrategy,
  }) as const;

/**
 * Options for producers. Commands fail at once while Redis is unavailable, so that the calling
 * function does not wait.
 */
export const producerOptions = (url: string): ConnectionSettings & { readonly commandTimeout: number } => ({
  ...common(url),
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  commandTimeout: 1_000,
});

/** Options for workers. Commands wait for Redis without limit. */
export const workerOptions = (url: string): ConnectionSettings => ({
  ...common(url),
  maxRetriesPerRequest: null,
});

const retryStrategy = (attempts: number): number => backoff(attempts, { firstMs: 100, maxMs: 2_000 });

/**
 * Opens a connection. Errors go to `onError` instead of ending the process.
 * @param commandTimeout time limit of a command, in milliseconds
 */
export function connectRedis(url: string, onError: (error: Error) => void, commandTimeout = 1_000): Redis {
  const redis = new Redis({ ...producerOptions(url), commandTimeout });
  redis.on('error', onError);
  watchRedis(redis);
  return redis;
}

/** The part of an ioredis client that a check needs. BullMQ and Nest give out their own clients. */
type CheckedRedis = Pick<Redis, 'ping' | 'status' | 'once'>;

const answering = new WeakMap<object, () => boolean>();

/**
 * Checks an idle connection, also a subscriber's, every two seconds: without a command it would
 * never find out that no packet arrives. `socketTimeout` ends it when the check is not answered.
 */
export function watchRedis(given: object): void {
  const redis = given as CheckedRedis;
  let isWaiting = false;
  const timer = setInterval(() => {
    if (redis.status !== 'ready' || isWaiting) return;
    isWaiting = true;
    redis
      .ping()
      .catch(() => undefined)
      .finally(() => {
        isWaiting = false;
      });
  }, CHECK_INTERVAL_MS);
  timer.unref();
  redis.once('end', () => clearInterval(timer));
  answering.set(redis, () => redis.status === 'ready');
}

/** Throws when one of these watched connections is not open. */
export function assertRedisConnected(clients: readonly object[]): void {
  const broken = clients.filter((client) => answering.get(client)?.() === false).length;
  if (broken > 0) throw new Error(`${broken} of ${clients.length} Redis connections are not open`);
}
