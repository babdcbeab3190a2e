import { advanceSipAccount } from '@partyline/store/sip-accounts/sip-accounts';
import { noSuchSipAccount } from '../errors.ts';
import type { SipAccountDeps, SipAccountWithPassword } from './create-sip-account.ts';

/**
 * Replaces the password of a SIP account.
 * Throws `sip-account-not-found` (404) and the errors of `PasswordOf`.
 */
export async function rotateSipAccount(
  deps: Pick<SipAccountDeps, 'store' | 'sipPasswords'>,
  tenantId: string,
  id: string,
): Promise<SipAccountWithPassword> {
  // Before the change: without the master key, the old password stays.
  await deps.sipPasswords({ id, tenantId, version: 1 });
  const row = await advanceSipAccount(deps.store, tenantId, id);
  if (row === null) throw noSuchSipAccount();
  return { row, password: await deps.sipPasswords({ id, tenantId, version: row.version }) };
}
