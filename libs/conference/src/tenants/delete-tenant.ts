import { VerdictError } from '@partyline/domain/verdict';
import { deleteTenant as deleteRows } from '@partyline/store/tenants/delete-tenant';
import type { Deps } from '../deps.ts';

/**
 * Deletes a suspended tenant without unconfirmed legs; succeeds for a deleted tenant. Throws
 * `tenant-not-suspended`, `tenant-has-numbers` and `tenant-has-legs` (409).
 */
export async function deleteTenant(deps: Pick<Deps, 'store'>, tenantId: string): Promise<void> {
  const deleted = await deleteRows(deps.store, tenantId);
  if (deleted === 'not-suspended')
    throw new VerdictError('client', 'tenant-not-suspended', 'This tenant is not suspended.', {
      fix: 'Suspend it first: POST /v1/operator/tenants/{id}/suspend.',
    });
  if (deleted === 'has-numbers') {
    throw new VerdictError('client', 'tenant-has-numbers', 'This tenant has dedicated numbers.', {
      fix:
        'GET /v1/operator/numbers?tenantId=... lists them. ' +
        'Assign each to another tenant or to all (PATCH with tenantId), or delete it.',
    });
  }
  if (deleted === 'legs-up')
    throw new VerdictError('client', 'tenant-has-legs', 'Hang-ups of this tenant are not confirmed yet.', {
      fix: 'Try again in a few seconds.',
      retryAfterMs: 5_000,
    });
}
