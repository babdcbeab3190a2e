import type { Deps } from '@partyline/conference/deps';
import type { PinVault } from '@partyline/conference/pin-vault';

/** What the webhooks' use-cases are given. */
export type WebhookDeps = Pick<Deps, 'store' | 'jobs' | 'providers' | 'clock' | 'ids' | 'webhooks' | 'report'> & { readonly pins: Pick<PinVault, 'lookup'> };

/** Under which Nest hands them to the controllers. */
export const DEPS = Symbol('webhook dependencies');
