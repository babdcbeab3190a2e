import { listRunningSessions, suspendTenant as markSuspended, type TenantRow } from '@partyline/store/tenants/tenants';
import type { Deps } from '../deps.ts';
import { endSession } from '../sessions/end-session.ts';
import { noSuchTenant } from '../errors.ts';

/** Sessions that are ended before the operator has an answer; the reconciler ends the rest within seconds. */
const AT_ONCE = 200;
const WIDTH = 8;

/**
 * Keeps a tenant from everything: from the commit on its keys are refused and its PINs let nobody in, and every session of it is ended through the one
 * door. Again: ends what is left. What cannot be ended now, or is not because this process dies, is the reconciler's. Throws 404.
 */
export async function suspendTenant(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
): Promise<TenantRow> {
  const tenant = await markSuspended(deps.store, tenantId);
  if (tenant === null) throw noSuchTenant();
  const sessions = (await listRunningSessions(deps.store, tenantId, AT_ONCE)).values();
  const worker = async (): Promise<void> => {
    for (const sessionId of sessions) {
      try {
        await endSession(deps, tenantId, sessionId, 'tenant-suspended');
      } catch (error) {
        deps.report.warn('a session of a suspended tenant could not be ended; the reconciler will do it', {
          tenantId,
          sessionId,
          error: String(error),
        });
      }
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, worker));
  return tenant;
}
