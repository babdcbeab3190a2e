import type { Ids } from '@partyline/domain/clock';
import { VerdictError } from '@partyline/domain/verdict';
import type { Store } from '@partyline/store/database/store';
import { insertSipAccount, type SipAccountRow } from '@partyline/store/sip-accounts/sip-accounts';
import type { PasswordOf } from './sip-passwords.ts';

export interface SipAccountDeps {
  readonly store: Store;
  readonly ids: Ids;
  readonly sipPasswords: PasswordOf;
}

/** SIP accounts that one tenant may have. */
export const MAX_SIP_ACCOUNTS = 100;

/** A SIP account with its password, which is displayed only in this response. */
export interface SipAccountWithPassword {
  readonly row: SipAccountRow;
  readonly password: string;
}

/**
 * Creates the login of a SIP phone.
 * Throws `too-many-sip-accounts` (409) and the errors of `PasswordOf`; nothing is stored then.
 */
export async function createSipAccount(
  deps: SipAccountDeps,
  tenantId: string,
  { label }: { readonly label: string },
): Promise<SipAccountWithPassword> {
  const id = deps.ids.next('sip');
  const password = await deps.sipPasswords({ id, tenantId, version: 1 });
  const row = await insertSipAccount(deps.store, tenantId, { id, label }, MAX_SIP_ACCOUNTS);
  if (row !== null) return { row, password };
  throw new VerdictError(
    'client',
    'too-many-sip-accounts',
    `You have ${MAX_SIP_ACCOUNTS} SIP accounts, which is the maximum.`,
    { fix: 'Delete one that you do not need: GET /v1/sip-accounts lists them.' },
  );
}
