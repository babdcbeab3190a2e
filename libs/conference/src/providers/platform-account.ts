import type { Deps, Providers } from '../deps.ts';
import { applyRequestContext } from './rate-limit-providers.ts';
import { accountGone } from '../errors.ts';

/** For a process that knows the platform's account and no other. */
export const platformProvidersOnly =
  (platform: Providers): Deps['providers'] =>
  async (accountId, asker) => {
    if (accountId !== null) throw accountGone();
    return applyRequestContext(platform, asker);
  };
