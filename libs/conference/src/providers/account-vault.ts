import { randomBytes } from 'node:crypto';
import type { AccountCredentials } from '@partyline/provider-contract/account-credentials';
import { ensureDataKey, readDataKey } from '@partyline/store/provider-accounts/data-keys';
import type { Store } from '@partyline/store/database/store';
import type { KeyService } from '../crypto/key-service.ts';
import { accountsNotConfigured } from '../errors.ts';
import { deriveKey, encrypt, decrypt } from '../crypto/aead.ts';

/** What credentials are bound to: sealed as one of these, they open as none other. */
export interface AccountBinding {
  readonly tenantId: string;
  readonly accountId: string;
  readonly voiceKind: string;
  readonly mediaKind: string;
  readonly version: number;
}

/** Credentials of tenants' accounts as they are kept: sealed with the tenant's data key (AES-256-GCM). */
export interface AccountVault {
  /** Throws `accounts-not-configured` and `master-key-missing` (server). Makes the tenant's data key when it has none. */
  encrypt(as: AccountBinding, credentials: AccountCredentials): Promise<Buffer>;
  /** Throws the same, and when anything is not as it was sealed. */
  decrypt(as: AccountBinding, sealed: Uint8Array): Promise<AccountCredentials>;
}

/** A list in JSON, so that no two of these can look the same. */
const bound = ({ tenantId, accountId, voiceKind, mediaKind, version }: AccountBinding): string =>
  JSON.stringify([tenantId, accountId, voiceKind, mediaKind, version]);

const DATA_KEY_BYTES = 32;
const use = (dataKey: Buffer) => deriveKey(dataKey, 'provider-account');

/** @param keys null: the operator has set no MASTER_KEYS, and tenants have no accounts of their own */
export function openAccountVault({ store, keys }: { store: Store; keys: KeyService | null }): AccountVault {
  const configured = (): KeyService => {
    if (keys !== null) return keys;
    throw accountsNotConfigured();
  };
  return {
    async encrypt(as, credentials) {
      const service = configured();
      // Not drawn from the request's seed, which is kept under another key. What counts is the key that the row holds then: a repeated request finds that one.
      const made = await service.wrap(randomBytes(DATA_KEY_BYTES), as.tenantId);
      const dataKey = await service.unwrap(await ensureDataKey(store, as.tenantId, made), as.tenantId);
      return encrypt(use(dataKey), JSON.stringify(credentials), bound(as));
    },
    async decrypt(as, sealed) {
      const service = configured();
      const wrapped = await readDataKey(store, as.tenantId);
      if (wrapped === null) throw new Error(`There is no data key for ${as.tenantId}.`);
      return JSON.parse(
        decrypt(use(await service.unwrap(wrapped, as.tenantId)), sealed, bound(as)),
      ) as AccountCredentials;
    },
  };
}
