import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis } from 'rate-limiter-flexible';

/** The length of a window, which starts with its first request. */
export const WINDOW_SECONDS = 60;

/** Counts requests over all replicas. */
export interface RequestMeter {
  /** Counts one request. Returns the number in the current window and when it ends. Never fails. */
  count(subject: string): Promise<{ readonly used: number; readonly endsInS: number }>;
}

/** The meter only counts: limits differ per tenant. */
const NO_LIMIT = 1_000_000_000;

/**
 * Counts in Redis, for all replicas together. While Redis is unavailable, each replica counts
 * alone.
 * @param redis a client that fails immediately while Redis is unavailable
 */
export function openRequestMeter(redis: Redis, prefix: string): RequestMeter {
  const limiter = new RateLimiterRedis({
    storeClient: redis,
    keyPrefix: `${prefix}:rate`,
    points: NO_LIMIT,
    duration: WINDOW_SECONDS,
    rejectIfRedisNotReady: true,
    insuranceLimiter: new RateLimiterMemory({ points: NO_LIMIT, duration: WINDOW_SECONDS }),
  });
  return {
    async count(subject) {
      const { consumedPoints, msBeforeNext } = await limiter.consume(subject);
      return { used: consumedPoints, endsInS: Math.max(1, Math.ceil(msBeforeNext / 1000)) };
    },
  };
}
