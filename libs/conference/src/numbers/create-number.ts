import { VerdictError } from '@partyline/domain/verdict';
import { insertNumber, type OperatorNumberRow, type NewNumber, type NumberRow } from '@partyline/store/numbers/numbers';
import { lockAccountForShare } from '@partyline/store/provider-accounts/provider-accounts';
import { EVERY_TENANT, inTransaction, type Tx } from '@partyline/store/database/store';
import { readTenant } from '@partyline/store/tenants/tenants';
import type { Deps } from '../deps.ts';
import { noSuchTenant } from '../errors.ts';

/**
 * Adds a dial-in number. Throws 404 for its tenant and provider account, 409 for an existing
 * number.
 */
export async function createNumber({ store }: Pick<Deps, 'store'>, number: NewNumber): Promise<OperatorNumberRow> {
  if (number.dedicated_to !== null && (await readTenant(store, number.dedicated_to)) === null) throw noSuchTenant();
  const created = await inTransaction(store, EVERY_TENANT, async (tx) => {
    await lockNumberAccount(tx, number);
    return insertNumber(tx, number);
  });
  if (created === null)
    throw new VerdictError('client', 'number-exists', 'This number already exists.', {
      field: '/number',
      fix: 'Change it with PATCH /v1/operator/numbers/{number}.',
    });
  return created;
}

/**
 * Locks a number's provider account, so that it is not deleted before the commit.
 * Throws 404 unless the account belongs to the number's tenant, and `number-not-dedicated` (422)
 * for a shared number with an account.
 */
export async function lockNumberAccount(tx: Tx, { dedicated_to, account_id }: NumberRow): Promise<void> {
  if (account_id === null) return;
  if (dedicated_to === null)
    throw new VerdictError(
      'client',
      'number-not-dedicated',
      "Only a dedicated number can use a tenant's own provider account.",
      { field: '/providerAccountId', fix: 'Give tenantId as well.' },
    );
  if (!(await lockAccountForShare(tx, dedicated_to, account_id)))
    throw new VerdictError(
      'client',
      'provider-account-not-found',
      "The number's tenant has no such provider account.",
      { field: '/providerAccountId', fix: "Give an id from the tenant's GET /v1/provider-accounts." },
    );
}
