import type { Deps } from '@partyline/conference/deps';
import type { PinVault } from '@partyline/conference/pins/pin-vault';
import type { Store } from '@partyline/store/database/store';

/** What the webhooks' use-cases are given. */
export type WebhookDeps = Pick<Deps, 'store' | 'jobs' | 'providers' | 'clock' | 'ids' | 'webhooks' | 'report'> & {
  /** For webhooks that somebody on the line waits for: the same database, by connections that no event ever holds. */
  readonly callers: Store;
  readonly pins: Pick<PinVault, 'lookup'>;
};

/** Under which Nest hands them to the controllers. */
export const DEPS = Symbol('webhook dependencies');
