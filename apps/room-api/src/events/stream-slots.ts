import type { Redis } from 'ioredis';

/** The maximum number of open streams of a tenant, over all replicas. */
export const MAX_STREAMS = 10;

/**
 * Slots of streams. A slot expires unless it is renewed, so slots of a dead replica become free.
 */
export interface StreamSlots {
  /**
   * Reserves a slot, or renews the stream's slot, for `forMs`. False if the tenant has no free
   * slot. Never fails: while Redis is unavailable, every replica counts only its own streams.
   */
  reserve(tenantId: string, streamId: string, forMs: number): Promise<boolean>;
  release(tenantId: string, streamId: string): Promise<void>;
}

/** Atomic, so that two replicas cannot both reserve the last slot. It uses the clock of Redis. */
const RESERVE_SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`;

/** @param redis a client that fails immediately while Redis is unavailable */
export function openStreamSlots(redis: Redis, prefix: string): StreamSlots {
  const key = (tenantId: string): string => `${prefix}:streams:${tenantId}`;
  return {
    reserve: (tenantId, streamId, forMs) =>
      redis.eval(RESERVE_SCRIPT, 1, key(tenantId), streamId, MAX_STREAMS, forMs).then(
        (reserved) => reserved === 1,
        () => true,
      ),
    release: (tenantId, streamId) =>
      redis.zrem(key(tenantId), streamId).then(
        () => undefined,
        () => undefined,
      ),
  };
}
