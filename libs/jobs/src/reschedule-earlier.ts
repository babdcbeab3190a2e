import type { Queue } from 'bullmq';

/**
 * BullMQ can move a delayed job, but not on the condition that the job would run later. If two
 * processes moved it at the same time, the later time could win. This script checks and moves in
 * one step, on BullMQ's own keys: a sorted set of the delayed jobs by their time in ms * 4096, and
 * a marker with the earliest of these times, which tells the workers how long to sleep.
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
 * Makes a waiting job run at `at` or earlier, in one round trip.
 * @param at milliseconds since 1970
 * @param delay milliseconds from now to `at`
 * @returns `in-time` if the job runs by then, `running` if it is running now, `absent` if it does
 *   not exist
 */
export async function rescheduleEarlier(
  queue: Queue,
  jobId: string,
  at: number,
  delay: number,
): Promise<'in-time' | 'running' | 'absent'> {
  const client = await queue.getBackend().client;
  if (!clientsWithCommand.has(client))
    client.defineCommand('partylineRescheduleEarlier', { numberOfKeys: 4, lua: SCRIPT });
  clientsWithCommand.add(client);
  return client.runCommand('partylineRescheduleEarlier', [
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
