/** The Voice API's rate limits: 3 new calls and 15 other requests per second and account; over is refused, not queued (contract §7). */
import { owningAccount } from '../credentials/owning-account.ts';
import type { World } from '../world.ts';

const WINDOW_MS = 1_000;

/** Counts one request of an application's; true when it is one too many for its account. */
export function overLimit(world: World, applicationId: string, lane: 'calls' | 'requests'): boolean {
  const { enabled, callsPerSecond, requestsPerSecond } = world.config.limits;
  if (!enabled) return false;
  const { apiKey } = owningAccount(world.config, applicationId);
  const recent = world.recent.get(apiKey) ?? { calls: [], requests: [] };
  world.recent.set(apiKey, recent);
  const times = recent[lane];
  const since = world.clock.now() - WINDOW_MS;
  while (times[0] !== undefined && times[0] <= since) times.shift();
  if (times.length >= (lane === 'calls' ? callsPerSecond : requestsPerSecond)) return true;
  times.push(world.clock.now());
  return false;
}
