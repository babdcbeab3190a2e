import type { Deps, Providers } from '../deps.ts';
import { applyRequestContext } from './rate-limit-providers.ts';
import { accountGone } from '../errors.ts';

/** Implements `Deps.providers` for a process that has only the platform's first account. */
export const platformProvidersOnly =
  (platform: Providers): Deps['providers'] =>
  async (accountId, context) => {
    if (accountId !== null) throw accountGone();
    return applyRequestContext(platform, context);
  };
