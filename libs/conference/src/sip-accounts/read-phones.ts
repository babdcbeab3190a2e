import type { Store } from '@partyline/store/database/store';
import { listLogins } from '@partyline/store/sip-accounts/sip-accounts';
import type { PasswordOf } from './sip-passwords.ts';

/** A SIP account of any tenant, with its password. */
export interface Phone {
  readonly id: string;
  readonly tenantId: string;
  readonly password: string;
}

/**
 * Creates a function that lists the SIP accounts of all tenants with their passwords. It remembers
 * the passwords, so that a list that has not changed needs no key.
 * @param onUnreadable called for an account whose password cannot be derived; it is left out
 */
export function createPhoneReader(
  { store, sipPasswords }: { readonly store: Store; readonly sipPasswords: PasswordOf },
  onUnreadable: (error: unknown) => void,
): () => Promise<Phone[]> {
  let known = new Map<string, Phone>();
  return async () => {
    const current = new Map<string, Phone>();
    for (const login of await listLogins(store)) {
      const key = `${login.id} ${login.version}`;
      const { id, tenantId } = login;
      try {
        current.set(key, known.get(key) ?? { id, tenantId, password: await sipPasswords(login) });
      } catch (error) {
        onUnreadable(error);
      }
    }
    known = current;
    return [...current.values()];
  };
}
