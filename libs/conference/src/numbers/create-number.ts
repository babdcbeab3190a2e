import { assertCountryOfNumber, describeNumber } from '@partyline/domain/describe-number';
import { isTenantAccount } from '@partyline/domain/platform-account';
import { VerdictError } from '@partyline/domain/verdict';
import { insertNumber, type OperatorNumberRow, type NewNumber, type NumberRow } from '@partyline/store/numbers/numbers';
import { lockAccountForShare } from '@partyline/store/provider-accounts/provider-accounts';
import { EVERY_TENANT, inTransaction, type Tx } from '@partyline/store/database/store';
import { readTenant } from '@partyline/store/tenants/tenants';
import type { Deps } from '../deps.ts';
import { noSuchTenant } from '../errors.ts';

/**
 * A number to add. Its country and whether calls to it are free are inferred where they are left
 * out.
 */
type NumberRequest = Omit<NewNumber, 'country' | 'toll_free'> & {
  readonly country?: string | null | undefined;
  readonly toll_free?: boolean | undefined;
};

/**
 * Adds a dial-in number. Throws 404 for its tenant and provider account, 409 for an existing
 * number, 422 for a country that is not the number's.
 */
export async function createNumber({ store }: Pick<Deps, 'store'>, request: NumberRequest): Promise<OperatorNumberRow> {
  const inferred = describeNumber(request.e164);
  const { country = inferred.country, toll_free = inferred.toll_free } = request;
  const number = { ...request, country, toll_free };
  assertCountryOfNumber(number.e164, number.country);
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
 * Locks a number's provider account, if it is a tenant's, so that it is not deleted before the
 * commit. Throws 404 unless the account belongs to the number's tenant, and `number-not-dedicated`
 * (422) for a shared number with a tenant's account.
 */
export async function lockNumberAccount(tx: Tx, { dedicated_to, account_id }: NumberRow): Promise<void> {
  if (!isTenantAccount(account_id)) return;
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
