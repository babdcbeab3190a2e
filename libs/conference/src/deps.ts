import type { Clock, Ids } from '@partyline/domain/clock';
import type { Jobs } from '@partyline/jobs/enqueue';
import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import type { VoiceProvider } from '@partyline/provider-contract/voice-provider';
import type { Store } from '@partyline/store/database/store';

/** What use-cases are given. Each names what it uses with `Pick`, so a signature tells what it can do. */
export interface Deps {
  readonly store: Store;
  readonly jobs: Jobs;
  /** The providers of an account; null: the platform's own. Throws `provider-account-gone` (409) for one that is deleted or never was, and what reading it throws. */
  readonly providers: (accountId: string | null, asker?: RequestContext) => Promise<Providers>;
  readonly clock: Clock;
  readonly ids: Ids;
  /** 256 random bits, URL-safe: the one-time token that a bridge leg shows when it comes in. */
  readonly secret: () => string;
  /** Our addresses, as given to the vendor of that account. */
  readonly webhooks: (accountId: string | null) => WebhookUrls;
  readonly report: Report;
}

/** Both sides of one provider account: they go together, since the bridge leads from the one to the other. */
export interface Providers {
  readonly media: MediaProvider;
  readonly voice: VoiceProvider;
  /** The same, for somebody: each tenant has its share of the account's line (pace-provider.ts). */
  readonly withContext?: (asker: RequestContext) => Providers;
}

/** For whom a provider is asked, and why if it has a better place in the line for that. */
export interface RequestContext {
  /** null: for nobody but ourselves. */
  readonly tenantId: string | null;
  readonly purpose?: 'hang-up' | 'sweep';
}

/** Where the carrier reaches us. The leg's own id is in the path, so an answer that we never saw still names its leg. */
export interface WebhookUrls {
  answer(legId: string): string;
  digits(legId: string, tryNo: number): string;
  events(legId: string): string;
}

type Counted =
  | 'webhook_ignored'
  | 'webhook_rejected'
  | 'enqueue_failed'
  | 'hang_up_attempts'
  | 'hang_up_failed'
  | 'dial_unobserved'
  | 'orphans_found'
  | 'false_kill'
  | 'events_delivered'
  | 'event_delivery_failed'
  | 'endpoint_disabled'
  | 'caller_rejected'
  | 'caller_slow_mode'
  | 'account_sweep_failed';

/** Where use-cases say what an operator should know. Fields must hold no secret, PIN or full number. */
interface Report {
  /** Counts something under a name from the metrics list. */
  count(name: Counted, labels?: Record<string, string>): void;
  /** Notes how long something took. */
  observe(name: 'hangup_confirm_seconds', seconds: number, labels?: Record<string, string>): void;
  warn(message: string, fields: Record<string, unknown>): void;
}
