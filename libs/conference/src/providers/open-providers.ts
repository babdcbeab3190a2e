import { PLATFORM_SIP } from '@partyline/domain/platform-account';
import { sipNotConfigured } from '@partyline/domain/sip-not-configured';
import { isSip, type AccountCredentials, type PreviousSecrets } from '@partyline/provider-contract/account-credentials';
import { findAccountVersion, readEncryptedAccount } from '@partyline/store/provider-accounts/provider-accounts';
import type { Store } from '@partyline/store/database/store';
import type { AccountVault } from './account-vault.ts';
import type { Deps, Providers } from '../deps.ts';
import { applyRequestContext } from './rate-limit-providers.ts';
import { accountGone } from '../errors.ts';

/**
 * Builds the providers of a tenant's account, whose calls and webhooks carry its id.
 * @param owner.old previous secrets whose signatures are still accepted
 * @param owner.isNew the account is not stored yet, so it may be rejected by what the platform
 *   allows
 */
export type BuildProviders = (
  credentials: AccountCredentials,
  owner: {
    readonly tenantId: string;
    readonly accountId: string;
    readonly old: PreviousSecrets | null;
    readonly isNew: boolean;
  },
) => Providers;

interface CachedProviders {
  /** The version of the credentials. */
  readonly version: string;
  readonly providers: Promise<Providers>;
}

/** The cache evicts the oldest entry. */
const MAX_CACHED_ACCOUNTS = 1_000;

/**
 * Implements `Deps.providers`. Each call reads the version of the account's credentials, so a
 * rotation takes effect at once in every process; the credentials are decrypted only when it has
 * changed. Throws `provider-account-gone`, also for an account that is not the tenant's of the
 * request, `sip-not-configured` for the platform's SIP account without one, and the errors of
 * decryption.
 * @param platform the providers of the platform's first account
 * @param platformSip those of its SIP account; null for a platform without gateways
 */
export function openProviders({
  store,
  vault,
  platform,
  platformSip,
  build,
}: {
  store: Store;
  vault: AccountVault;
  platform: Providers;
  platformSip: Providers | null;
  build: BuildProviders;
}): Deps['providers'] {
  const cache = new Map<string, CachedProviders>();

  async function open(accountId: string, tenantId: string): Promise<Providers> {
    const row = await readEncryptedAccount(store, tenantId, accountId);
    if (row === null) throw accountGone();
    const decrypt = (version: number, ciphertext: Uint8Array) =>
      vault.decrypt({ tenantId, accountId, voiceKind: row.voice_kind, mediaKind: row.media_kind, version }, ciphertext);
    const credentials = await decrypt(row.version, row.ciphertext);
    const previous =
      row.old_version === null || row.old_ciphertext === null
        ? null
        : await decrypt(row.old_version, row.old_ciphertext);
    return build(credentials, {
      tenantId,
      accountId,
      isNew: false,
      old:
        previous === null || isSip(previous)
          ? null
          : { signatureSecret: previous.voice.signatureSecret, callbackSecret: previous.callbackSecret },
    });
  }

  return async (accountId, context) => {
    if (accountId === null) return applyRequestContext(platform, context);
    if (accountId === PLATFORM_SIP) {
      if (platformSip === null) throw sipNotConfigured();
      return applyRequestContext(platformSip, context);
    }
    const current = await findAccountVersion(store, accountId);
    if (current === null) {
      cache.delete(accountId);
      throw accountGone();
    }
    // A request for a tenant never uses the account of another one, whatever a message names.
    if (context !== undefined && context.tenantId !== null && context.tenantId !== current.tenant_id)
      throw accountGone();
    const version = `${current.tenant_id} ${current.version} ${current.old_version}`;
    const cached = cache.get(accountId);
    if (cached?.version === version) return applyRequestContext(await cached.providers, context);
    const built: CachedProviders = { version, providers: open(accountId, current.tenant_id) };
    cache.delete(accountId);
    for (const oldest of cache.keys()) {
      if (cache.size < MAX_CACHED_ACCOUNTS) break;
      cache.delete(oldest);
    }
    cache.set(accountId, built);
    try {
      return applyRequestContext(await built.providers, context);
    } catch (error) {
      // A failure is not cached: a missing master key or an unreachable database may come back.
      if (cache.get(accountId) === built) cache.delete(accountId);
      throw error;
    }
  };
}
