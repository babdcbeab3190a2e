import type { Deps } from '@partyline/conference/deps';
import type { PinVault } from '@partyline/conference/pins/pin-vault';
import type { AccountLimit } from './account-limit.ts';
import type { Store } from '@partyline/store/database/store';

/** The dependencies of the webhooks' use-cases. */
export type WebhookDeps = Pick<Deps, 'store' | 'jobs' | 'providers' | 'clock' | 'ids' | 'webhooks' | 'report'> & {
  /**
   * For webhooks that a caller waits for: the same database, with connections that no event uses.
   */
  readonly callerStore: Store;
  readonly pins: Pick<PinVault, 'lookups'>;
  readonly accountLimit: AccountLimit;
};

/** The injection token under which Nest passes them to the controllers. */
export const WEBHOOK_DEPS = Symbol('webhook dependencies');
