import type { Store } from '@partyline/store/database/store';

/**
 * The hang-ups of one tenant that run at once in a process. All tenants share a lane of 16 jobs in
 * order of arrival, and a tenant can sign events of hundreds of connections that do not exist.
 */
const MAX_OF_TENANT = 4;
const RETRY_MS = 250;

const runningByStore = new WeakMap<Store, Map<string, number>>();

/**
 * Runs a hang-up job of a tenant, unless as many of its hang-ups run already as its share of the
 * lane.
 * @param tenantId null for a caller at the platform's account who was never admitted: no limit
 * @returns the result of `hangUp`, or when to retry
 */
export async function shareLane(
  store: Store,
  tenantId: string | null,
  hangUp: () => Promise<'done' | { retryAfterMs: number }>,
): Promise<'done' | { retryAfterMs: number }> {
  if (tenantId === null) return hangUp();
  const running = runningByStore.get(store) ?? new Map<string, number>();
  runningByStore.set(store, running);
  const count = running.get(tenantId) ?? 0;
  if (count >= MAX_OF_TENANT) return { retryAfterMs: RETRY_MS };
  running.set(tenantId, count + 1);
  try {
    return await hangUp();
  } finally {
    const left = running.get(tenantId)! - 1;
    if (left === 0) running.delete(tenantId);
    else running.set(tenantId, left);
  }
}
