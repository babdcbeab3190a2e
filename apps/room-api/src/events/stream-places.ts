import type { Redis } from 'ioredis';

/** Streams that a tenant may have open at once, over all replicas. */
export const MOST_STREAMS = 10;

/** Places for streams, each held for a while and then again, so that those of a replica that died are free soon. */
export interface StreamPlaces {
  /**
   * Takes one of a tenant's places, or holds the one that the stream has for `forMs` more; false when all are taken. Never fails: while Redis is away every replica
   * counts its own alone.
   */
  take(tenantId: string, streamId: string, forMs: number): Promise<boolean>;
  giveBack(tenantId: string, streamId: string): Promise<void>;
}

/** In one step, so that two replicas cannot take the last place both; by Redis' own clock, so that theirs do not matter. */
const TAKE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`;

/** @param redis fails at once while it is away */
export function openStreamPlaces(redis: Redis, prefix: string): StreamPlaces {
  const key = (tenantId: string): string => `${prefix}:streams:${tenantId}`;
  return {
    take: (tenantId, streamId, forMs) =>
      redis.eval(TAKE, 1, key(tenantId), streamId, MOST_STREAMS, forMs).then(
        (taken) => taken === 1,
        () => true,
      ),
    giveBack: (tenantId, streamId) =>
      redis.zrem(key(tenantId), streamId).then(
        () => undefined,
        () => undefined,
      ),
  };
}
