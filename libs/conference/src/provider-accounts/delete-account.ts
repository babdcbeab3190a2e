import { VerdictError } from '@partyline/domain/verdict';
import { deleteAccount as deleteRow } from '@partyline/store/provider-accounts/provider-accounts';
import type { Deps } from '../deps.ts';
import { noSuchAccount } from '../errors.ts';

/**
 * Deletes an account and erases its credentials.
 * Throws 404, and `provider-account-in-use` (409) while a number, session or call uses the account.
 */
export async function deleteAccount(
  { store }: Pick<Deps, 'store'>,
  tenantId: string,
  accountId: string,
): Promise<void> {
  const deleted = await deleteRow(store, tenantId, accountId);
  if (deleted === null) throw noSuchAccount();
  if (deleted === 'in-use')
    throw new VerdictError(
      'client',
      'provider-account-in-use',
      'Numbers use this account, or one of its sessions or calls is not yet closed.',
      {
        fix:
          "Ask the platform's operator to assign its numbers to another account. " +
          'Try again when the hang-up of all its calls is confirmed, or was requested more than a day ago.',
      },
    );
}
