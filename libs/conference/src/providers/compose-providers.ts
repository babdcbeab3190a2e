import type { Store } from '@partyline/store/database/store';
import type { KeyService } from '../crypto/key-service.ts';
import type { Deps, Providers } from '../deps.ts';
import { openAccountVault, type AccountVault } from './account-vault.ts';
import { openProviders, type BuildProviders } from './open-providers.ts';
import { rateLimitProviders } from './rate-limit-providers.ts';

/** The provider registry's builders: only an app's main.ts may import them. */
interface RegistryBuilders {
  /** The providers of the platform's first account. */
  readonly platform: Providers;
  /** The providers of the platform's SIP account; null for a platform without gateways. */
  readonly platformSip: Providers | null;
  /** Builds the providers of a tenant's account. */
  readonly buildAccount: BuildProviders;
}

export interface ComposedProviders {
  readonly providers: Deps['providers'];
  readonly vault: AccountVault;
  readonly build: BuildProviders;
}

/**
 * Composes the providers of all accounts for a process that sends requests to them: every account
 * is rate limited, with limits that all processes share through `store`.
 * @param keys null when the deployment has no master keys: tenants then have no accounts of their
 *   own
 */
export function composeProviders({
  store,
  keys,
  sleep,
  platform,
  platformSip,
  buildAccount,
}: RegistryBuilders & {
  readonly store: Store;
  readonly keys: KeyService | null;
  readonly sleep: (ms: number) => Promise<void>;
}): ComposedProviders {
  const vault = openAccountVault({ store, keys });
  const build: BuildProviders = (credentials, owner) =>
    rateLimitProviders(buildAccount(credentials, owner), { store, sleep, tenantId: owner.tenantId });
  const limit = (account: Providers): Providers => rateLimitProviders(account, { store, sleep });
  const providers = openProviders({
    store,
    vault,
    build,
    platform: limit(platform),
    platformSip: platformSip && limit(platformSip),
  });
  return { providers, vault, build };
}
