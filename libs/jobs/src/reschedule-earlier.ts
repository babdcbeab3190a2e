import type { Queue } from 'bullmq';

/**
 * BullMQ can move a delayed job, but not say "unless it is to run sooner already": of two who move it at once, the later time could come last
 * and stand. So that is asked and done in one step, on BullMQ's own keys: delayed jobs in a sorted set by their time in ms × 4096, and a
 * marker with the first of these times, by which workers know how long to sleep.
 */
const SCRIPT = `
local at = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not at then
  if redis.call('EXISTS', KEYS[4]) == 0 then return 'absent' end
  return redis.call('LPOS', KEYS[3], ARGV[1]) and 'running' or 'in-time'
end
if tonumber(at) / 4096 > tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], tonumber(ARGV[2]) * 4096, ARGV[1])
  redis.call('HSET', KEYS[4], 'delay', ARGV[3])
  redis.call('ZADD', KEYS[2], redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] / 4096, '1')
end
return 'in-time'`;

/**
 * Makes sure that a job that waits runs at `at` or sooner. `in-time` when it will; `running` when it runs at this moment; `absent` when there
 * is none. One round trip.
 * @param at milliseconds since 1970; `delay` is the same from now
 */
export async function rescheduleEarlier(
  queue: Queue,
  jobId: string,
  at: number,
  delay: number,
): Promise<'in-time' | 'running' | 'absent'> {
  const client = await queue.getBackend().client;
  if (!clientsWithCommand.has(client)) client.defineCommand('partylineHasten', { numberOfKeys: 4, lua: SCRIPT });
  clientsWithCommand.add(client);
  return client.runCommand('partylineHasten', [
    queue.toKey('delayed'),
    queue.toKey('marker'),
    queue.toKey('active'),
    queue.toKey(jobId),
    jobId,
    at,
    delay,
  ]) as Promise<'in-time' | 'running' | 'absent'>;
}
const clientsWithCommand = new WeakSet<object>();
