import type { Deps, Providers } from './deps.ts';
import { forAsker } from './pace-provider.ts';
import { accountGone } from './refusals.ts';

/** For a process that knows the platform's account and no other. */
export const onlyPlatform =
  (platform: Providers): Deps['providers'] =>
  async (accountId, asker) => {
    if (accountId !== null) throw accountGone();
    return forAsker(platform, asker);
  };
