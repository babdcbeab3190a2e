import type { AccountCredentials } from '@partyline/provider-contract/account-credentials';
import { readDataKey } from '@partyline/store/provider-accounts/data-keys';
import type { Store } from '@partyline/store/database/store';
import type { KeyService } from '../crypto/key-service.ts';
import { accountsNotConfigured } from '../errors.ts';
import { deriveKey, encrypt, decrypt } from '../crypto/aead.ts';
import { ensureTenantDataKey } from '../crypto/tenant-data-key.ts';

/** The associated data of encrypted credentials: they decrypt only with an equal binding. */
export interface AccountBinding {
  readonly tenantId: string;
  readonly accountId: string;
  readonly voiceKind: string;
  readonly mediaKind: string;
  readonly version: number;
}

/**
 * Encrypts and decrypts the credentials of tenants' accounts with the tenant's data key
 * (AES-256-GCM).
 */
export interface AccountVault {
  /**
   * Creates the tenant's data key if needed. Throws `accounts-not-configured` and
   * `master-key-missing` (server).
   */
  encrypt(binding: AccountBinding, credentials: AccountCredentials): Promise<Buffer>;
  /** Throws the same errors, and fails for another binding or changed data. */
  decrypt(binding: AccountBinding, ciphertext: Uint8Array): Promise<AccountCredentials>;
}

/** JSON, so that no two bindings have the same encoding. */
const toAssociatedData = ({ tenantId, accountId, voiceKind, mediaKind, version }: AccountBinding): string =>
  JSON.stringify([tenantId, accountId, voiceKind, mediaKind, version]);

const deriveAccountKey = (dataKey: Buffer) => deriveKey(dataKey, 'provider-account');

/** @param keys null without MASTER_KEYS: tenants then have no provider accounts of their own */
export function openAccountVault({ store, keys }: { store: Store; keys: KeyService | null }): AccountVault {
  const requireKeys = (): KeyService => {
    if (keys !== null) return keys;
    throw accountsNotConfigured();
  };
  return {
    async encrypt(binding, credentials) {
      const service = requireKeys();
      const dataKey = await ensureTenantDataKey(store, service, binding.tenantId);
      return encrypt(deriveAccountKey(dataKey), JSON.stringify(credentials), toAssociatedData(binding));
    },
    async decrypt(binding, ciphertext) {
      const service = requireKeys();
      const wrapped = await readDataKey(store, binding.tenantId);
      if (wrapped === null) throw new Error(`The tenant ${binding.tenantId} has no data key.`);
      return JSON.parse(
        decrypt(
          deriveAccountKey(await service.unwrap(wrapped, binding.tenantId)),
          ciphertext,
          toAssociatedData(binding),
        ),
      ) as AccountCredentials;
    },
  };
}
