/** Voice API rate limits per account: 3 new calls/s, 15 other requests/s (contract §7). */
import { findOwningAccount } from '../credentials/owning-account.ts';
import type { World } from '../world.ts';

const WINDOW_MS = 1_000;

/** Counts one request of an application. Returns true when its account is over the limit. */
export function exceedsRateLimit(world: World, applicationId: string, bucket: 'calls' | 'requests'): boolean {
  const { enabled, callsPerSecond, requestsPerSecond } = world.config.limits;
  if (!enabled) return false;
  const { apiKey } = findOwningAccount(world.config, applicationId);
  const recentRequests = world.recentRequests.get(apiKey) ?? { calls: [], requests: [] };
  world.recentRequests.set(apiKey, recentRequests);
  const times = recentRequests[bucket];
  const since = world.clock.now() - WINDOW_MS;
  while (times[0] !== undefined && times[0] <= since) times.shift();
  if (times.length >= (bucket === 'calls' ? callsPerSecond : requestsPerSecond)) return true;
  times.push(world.clock.now());
  return false;
}
