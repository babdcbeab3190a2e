import type { AccountCredentials, PreviousSecrets } from '@partyline/provider-contract/account-credentials';
import { findAccountVersion, readEncryptedAccount } from '@partyline/store/provider-accounts/provider-accounts';
import type { Store } from '@partyline/store/database/store';
import type { AccountVault } from './account-vault.ts';
import type { Deps, Providers } from '../deps.ts';
import { applyRequestContext } from './rate-limit-providers.ts';
import { accountGone } from '../errors.ts';

/** Makes the providers of a tenant's account. @param old secrets whose signatures are believed too */
export type BuildProviders = (
  credentials: AccountCredentials,
  whose: { readonly tenantId: string; readonly old: PreviousSecrets | null },
) => Providers;

interface Built {
  /** Which credentials they are made of. */
  readonly of: string;
  readonly providers: Promise<Providers>;
}

/** Accounts that are kept ready; the one that was made first makes place. */
const MOST = 1_000;

/**
 * Both providers of any account, as `Deps.providers` has it. What an account's credentials are now is looked up each time, so that a rotation is everywhere at
 * once; they are opened when they are others than before. Throws `provider-account-gone`, and what opening throws.
 * @param platform the platform's own
 */
export function openProviders({
  store,
  vault,
  platform,
  build,
}: {
  store: Store;
  vault: AccountVault;
  platform: Providers;
  build: BuildProviders;
}): Deps['providers'] {
  const ready = new Map<string, Built>();

  async function open(accountId: string, tenantId: string): Promise<Providers> {
    const row = await readEncryptedAccount(store, tenantId, accountId);
    if (row === null) throw accountGone();
    const openAs = (version: number, sealed: Uint8Array) =>
      vault.decrypt({ tenantId, accountId, voiceKind: row.voice_kind, mediaKind: row.media_kind, version }, sealed);
    const credentials = await openAs(row.version, row.sealed);
    const before =
      row.old_version === null || row.old_sealed === null ? null : await openAs(row.old_version, row.old_sealed);
    return build(credentials, {
      tenantId,
      old:
        before === null
          ? null
          : { signatureSecret: before.voice.signatureSecret, callbackSecret: before.callbackSecret },
    });
  }

  return async (accountId, asker) => {
    if (accountId === null) return applyRequestContext(platform, asker);
    const now = await findAccountVersion(store, accountId);
    if (now === null) {
      ready.delete(accountId);
      throw accountGone();
    }
    const of = `${now.tenant_id} ${now.version} ${now.old_version}`;
    const before = ready.get(accountId);
    if (before?.of === of) return applyRequestContext(await before.providers, asker);
    const built: Built = { of, providers: open(accountId, now.tenant_id) };
    ready.delete(accountId);
    for (const first of ready.keys()) {
      if (ready.size < MOST) break;
      ready.delete(first);
    }
    ready.set(accountId, built);
    try {
      return applyRequestContext(await built.providers, asker);
    } catch (error) {
      // What could not be opened is tried again: a master key may be put back, a database come back.
      if (ready.get(accountId) === built) ready.delete(accountId);
      throw error;
    }
  };
}
