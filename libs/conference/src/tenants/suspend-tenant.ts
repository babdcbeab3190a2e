import { listRunningSessions, suspendTenant as markSuspended, type TenantRow } from '@partyline/store/tenants/tenants';
import type { Deps } from '../deps.ts';
import { endSession } from '../sessions/end-session.ts';
import { noSuchTenant } from '../errors.ts';

/** Sessions ended within the request. The reconciler ends the others within seconds. */
const MAX_SESSIONS_PER_REQUEST = 200;
const MAX_CONCURRENT_SESSIONS = 8;

/**
 * Suspends a tenant: from the commit on its keys are rejected and its PINs admit no caller. Then
 * ends its sessions; a repetition ends the remaining ones. The reconciler ends sessions that could
 * not be ended, or that a crash left running. Throws 404.
 */
export async function suspendTenant(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
): Promise<TenantRow> {
  const tenant = await markSuspended(deps.store, tenantId);
  if (tenant === null) throw noSuchTenant();
  const sessions = (await listRunningSessions(deps.store, tenantId, MAX_SESSIONS_PER_REQUEST)).values();
  const worker = async (): Promise<void> => {
    for (const sessionId of sessions) {
      try {
        await endSession(deps, tenantId, sessionId, 'tenant-suspended');
      } catch (error) {
        deps.report.warn('ending a session of a suspended tenant failed; the reconciler retries', {
          tenantId,
          sessionId,
          error: String(error),
        });
      }
    }
  };
  await Promise.all(Array.from({ length: MAX_CONCURRENT_SESSIONS }, worker));
  return tenant;
}
