import type { Clock, Ids } from '@partyline/domain/clock';
import { isTenantAccount } from '@partyline/domain/platform-account';
import type { Jobs } from '@partyline/jobs/enqueue';
import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import type { VoiceProvider } from '@partyline/provider-contract/voice-provider';
import type { Store } from '@partyline/store/database/store';

/** The dependencies of the use-cases. Each use-case names the ones that it uses with `Pick`. */
export interface Deps {
  readonly store: Store;
  readonly jobs: Jobs;
  /**
   * The providers of an account; null for the platform's first. Throws `provider-account-gone` (409)
   * for a deleted or unknown account, `sip-not-configured` (503) for one at gateways that this
   * process does not know, and the errors of reading its credentials.
   */
  readonly providers: (accountId: string | null, context?: RequestContext) => Promise<Providers>;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Generates a secret: 256 random bits, URL-safe. Bridge legs carry one as a one-time token. */
  readonly secret: () => string;
  /** The webhook URLs that are given to the provider for an account. */
  readonly webhooks: (accountId: string | null) => WebhookUrls;
  readonly report: Report;
}

/** The media and voice providers of one account. The bridge leg connects one with the other. */
export interface Providers {
  readonly media: MediaProvider;
  readonly voice: VoiceProvider;
  /**
   * The same providers for one request context: each tenant has its share of the rate limit
   * (rate-limit-providers.ts).
   */
  readonly withContext?: (context: RequestContext) => Providers;
}

/**
 * The tenant for which requests are sent to a provider, and their purpose if it has its own rate
 * limit.
 */
export interface RequestContext {
  /** null for requests of the platform itself. */
  readonly tenantId: string | null;
  readonly purpose?: 'hang-up' | 'sweep';
}

/**
 * The webhook URLs of voice calls. They contain the leg's id, so a webhook identifies its leg even
 * when the dial response was lost.
 */
export interface WebhookUrls {
  answer(legId: string): string;
  digits(legId: string, tryNo: number): string;
  events(legId: string): string;
}

type CounterName =
  | 'webhook_ignored'
  | 'webhook_rejected'
  | 'enqueue_failed'
  | 'hang_up_attempts'
  | 'hang_up_failed'
  | 'dial_unobserved'
  | 'orphans_found'
  | 'false_kill'
  | 'leg_reopened'
  | 'events_delivered'
  | 'event_delivery_failed'
  | 'endpoint_disabled'
  | 'caller_rejected'
  | 'caller_slow_mode'
  | 'account_sweep_failed'
  | 'charges_reconciled';

/**
 * The label `owner` of metrics about legs and calls: a tenant can sign webhooks of its own account,
 * so its figures are kept apart from the platform's.
 */
export const accountOwner = (accountId: string | null): 'platform' | 'tenant' =>
  isTenantAccount(accountId) ? 'tenant' : 'platform';

/**
 * Reports metrics and warnings to the operator. Fields must not contain secrets, PINs or full phone
 * numbers.
 */
interface Report {
  /** Increments a counter of the metrics list. */
  count(name: CounterName, labels?: Record<string, string>): void;
  /** Records a duration. */
  observe(name: 'hangup_confirm_seconds', seconds: number, labels?: Record<string, string>): void;
  warn(message: string, fields: Record<string, unknown>): void;
}
