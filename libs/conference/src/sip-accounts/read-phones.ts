import type { Store } from '@partyline/store/database/store';
import { listLogins } from '@partyline/store/sip-accounts/sip-accounts';
import type { PasswordOf } from './sip-passwords.ts';

/** A SIP account of any tenant, with its password. */
export interface Phone {
  readonly id: string;
  readonly tenantId: string;
  /** Changes with the password. */
  readonly version: number;
  /** Null while it cannot be derived. */
  readonly password: string | null;
}

/**
 * Creates a function that lists the SIP accounts of all tenants with their passwords. It remembers
 * the passwords, so that a list that has not changed needs no key.
 * @param onUnreadable called when the password of an account cannot be derived, once until it can
 */
export function createPhoneReader(
  { store, sipPasswords }: { readonly store: Store; readonly sipPasswords: PasswordOf },
  onUnreadable: (error: unknown) => void,
): () => Promise<Phone[]> {
  let known = new Map<string, Phone>();
  return async () => {
    const current = new Map<string, Phone>();
    for (const login of await listLogins(store)) {
      const { id, tenantId, version } = login;
      const key = `${id} ${version}`;
      const before = known.get(key);
      let password = before?.password ?? null;
      try {
        password ??= await sipPasswords(login);
      } catch (error) {
        if (before === undefined) onUnreadable(error);
      }
      current.set(key, { id, tenantId, version, password });
    }
    known = current;
    return [...current.values()];
  };
}
