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
 * Options for producers. Commands fail at once while Redis is unavailable, so that the calling
 * function does not wait.
 */
export const producerOptions = (url: string): ConnectionSettings => ({
  ...parseRedisUrl(url),
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  commandTimeout: 1_000,
  retryStrategy,
});

/** Options for workers. Commands wait for Redis without limit. */
export const workerOptions = (url: string): ConnectionSettings => ({
  ...parseRedisUrl(url),
  maxRetriesPerRequest: null,
  retryStrategy,
});

const retryStrategy = (attempts: number): number => backoff(attempts, { firstMs: 100, maxMs: 2_000 });

/**
 * Opens a connection. Errors go to `onError` instead of ending the process.
 * @param commandTimeout time limit of a command, in milliseconds
 */
export function connectRedis(url: string, onError: (error: Error) => void, commandTimeout = 1_000): Redis {
  const redis = new Redis({ ...producerOptions(url), commandTimeout });
  redis.on('error', onError);
  return redis;
}
