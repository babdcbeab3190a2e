import { Redis, type RedisOptions } from 'ioredis';

/** As ioredis, BullMQ and Nest all take it: the type of `retryStrategy` differs among them. */
type ConnectionSettings = Omit<RedisOptions, 'retryStrategy'> & { readonly retryStrategy: (times: number) => number };

/** Connection settings for one Redis URL. */
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

/** A producer fails at once while Redis is away: a caller on the line is not kept waiting for a queue (reliability.md section 6). */
export const producerOptions = (url: string): ConnectionSettings => ({
  ...parseRedisUrl(url),
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  commandTimeout: 1_000,
  retryStrategy,
});

/** A worker waits for Redis for ever. */
export const workerOptions = (url: string): ConnectionSettings => ({
  ...parseRedisUrl(url),
  maxRetriesPerRequest: null,
  retryStrategy,
});

const retryStrategy = (times: number): number => Math.min(2_000, 50 * 2 ** Math.min(times, 6));

/** A plain connection; errors go to `onError` instead of ending the process. @param commandTimeout milliseconds that a command may take */
export function connectRedis(url: string, onError: (error: Error) => void, commandTimeout = 1_000): Redis {
  const redis = new Redis({ ...producerOptions(url), commandTimeout });
  redis.on('error', onError);
  return redis;
}
