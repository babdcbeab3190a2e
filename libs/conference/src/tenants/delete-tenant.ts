import { VerdictError } from '@partyline/domain/verdict';
import { deleteTenant as deleteRows } from '@partyline/store/tenants/delete-tenant';
import type { Deps } from '../deps.ts';

/** Deletes a suspended tenant none of whose legs is up; one that is gone already is deleted. Throws `tenant-not-suspended`, `tenant-has-numbers` and `tenant-has-legs` (409). */
export async function deleteTenant(deps: Pick<Deps, 'store'>, tenantId: string): Promise<void> {
  const deleted = await deleteRows(deps.store, tenantId);
  if (deleted === 'not-suspended')
    throw new VerdictError('client', 'tenant-not-suspended', 'This tenant is not suspended.', {
      fix: 'Suspend it first: POST /v1/operator/tenants/{id}/suspend.',
    });
  if (deleted === 'has-numbers') {
    throw new VerdictError('client', 'tenant-has-numbers', 'This tenant has numbers of its own, which would be lost.', {
      fix: 'GET /v1/operator/numbers?tenantId=… lists them: give each to another tenant or to all (PATCH with tenantId), or take it away (DELETE).',
    });
  }
  if (deleted === 'legs-up')
    throw new VerdictError('client', 'tenant-has-legs', 'Connections of this tenant are not yet seen closed.', {
      fix: 'Try again when its hang-ups are confirmed, within seconds as a rule.',
      retryAfterMs: 5_000,
    });
}
