import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis } from 'rate-limiter-flexible';

/** Windows of so many seconds, each beginning with its first request. */
export const WINDOW_S = 60;

/** Counts requests, whoever answers them. */
export interface RequestMeter {
  /** One more of somebody's: how many in the present window, and when that ends. Never fails. */
  count(who: string): Promise<{ readonly used: number; readonly endsInS: number }>;
}

/** It only counts; how many are too many is another for each tenant. */
const NO_LIMIT = 1_000_000_000;

/**
 * Counts in Redis, for all replicas together; while it is away, each replica for itself, so that a Redis that is away closes nothing and opens nothing.
 * @param redis fails at once while it is away
 */
export function openRequestMeter(redis: Redis, prefix: string): RequestMeter {
  const limiter = new RateLimiterRedis({
    storeClient: redis,
    keyPrefix: `${prefix}:rate`,
    points: NO_LIMIT,
    duration: WINDOW_S,
    rejectIfRedisNotReady: true,
    insuranceLimiter: new RateLimiterMemory({ points: NO_LIMIT, duration: WINDOW_S }),
  });
  return {
    async count(who) {
      const { consumedPoints, msBeforeNext } = await limiter.consume(who);
      return { used: consumedPoints, endsInS: Math.max(1, Math.ceil(msBeforeNext / 1000)) };
    },
  };
}
