import { createHmac } from 'node:crypto';
import type { Store } from '@partyline/store/database/store';
import type { Login } from '@partyline/store/sip-accounts/sip-accounts';
import { deriveKey } from '../crypto/aead.ts';
import type { KeyService } from '../crypto/key-service.ts';
import { ensureTenantDataKey } from '../crypto/tenant-data-key.ts';
import { accountsNotConfigured } from '../errors.ts';

/** Characters of a password: 144 bits. */
const PASSWORD_LENGTH = 24;

/**
 * Returns the password of a SIP account, which no table holds: it is derived from the data key of
 * the tenant, the id and the version.
 * Throws `accounts-not-configured` and `master-key-missing` (server).
 */
export type PasswordOf = (login: Login) => Promise<string>;

/** @param keys null without MASTER_KEYS: tenants then have no SIP accounts */
export const openSipPasswords =
  ({ store, keys }: { store: Store; keys: KeyService | null }): PasswordOf =>
  async ({ id, tenantId, version }) => {
    if (keys === null) throw accountsNotConfigured();
    const dataKey = await ensureTenantDataKey(store, keys, tenantId);
    return createHmac('sha256', deriveKey(dataKey, 'sip-account'))
      .update(JSON.stringify([id, version]))
      .digest('base64url')
      .slice(0, PASSWORD_LENGTH);
  };
