/** The Voice API's rate limits: 3 new calls and 15 other requests per second; over is refused, not queued (contract §7). */
import type { World } from '../world.ts';

const WINDOW_MS = 1_000;

/** Counts one request; true when it is one too many. */
export function overLimit(world: World, lane: 'calls' | 'requests'): boolean {
  const { enabled, callsPerSecond, requestsPerSecond } = world.config.limits;
  if (!enabled) return false;
  const times = world.recent[lane];
  const since = world.clock.now() - WINDOW_MS;
  while (times[0] !== undefined && times[0] <= since) times.shift();
  if (times.length >= (lane === 'calls' ? callsPerSecond : requestsPerSecond)) return true;
  times.push(world.clock.now());
  return false;
}
