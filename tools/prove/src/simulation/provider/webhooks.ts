import type { MediaEvent, VoiceAnswer, VoiceEvent, VoiceInput } from '@partyline/provider-contract/provider-event';
import type { CallPlan } from '@partyline/provider-contract/voice-provider';
import type { Random } from '../runtime/random.ts';
import type { Scheduler } from '../runtime/scheduler.ts';
import type { FaultProfile } from './fault-profile.ts';
import { recordFault, type Ledger, type LedgerEntry } from './ledger.ts';

/** A webhook of the provider. `jti` is the id of its signature, which is valid once. */
export type ProviderWebhook =
  | { readonly to: 'answer'; readonly jti: string; readonly call: VoiceAnswer }
  | { readonly to: 'answer-dialled'; readonly jti: string; readonly legId: string; readonly call: VoiceAnswer }
  | {
      readonly to: 'digits';
      readonly jti: string;
      readonly legId: string;
      readonly tryNo: number;
      readonly input: VoiceInput;
    }
  | { readonly to: 'voice-event'; readonly jti: string; readonly legId: string | undefined; readonly event: VoiceEvent }
  | { readonly to: 'video-event'; readonly jti: string; readonly event: MediaEvent };

/**
 * The answer to a webhook: a plan or none; `rejected` is 4xx, `failed` is 5xx, `unreachable` is no
 * answer.
 */
export type WebhookOutcome =
  | { readonly ok: true; readonly plan: CallPlan | null }
  | { readonly ok: false; readonly failure: 'rejected' | 'failed' | 'unreachable' };

/** The webhook servers behind their load balancer. Calls back with the answer, or never. */
export type WebhookGateway = (webhook: ProviderWebhook, onOutcome: (outcome: WebhookOutcome) => void) => void;

const ANSWER_TIMEOUT_MS = 5_000;
const FIRST_VIDEO_RETRY_MS = 5_000;
const MAX_VIDEO_RETRY_MS = 900_000;
const VIDEO_RETRY_PERIOD_MS = 24 * 3_600_000;

/** The attempt number of a duplicate, which is not retried. */
const DUPLICATE = 99;

/**
 * Sends webhooks as the provider does: a voice event at most twice, a video event for a day, and an
 * answer webhook three times, after which the call ends.
 */
export class WebhookSender {
  readonly #scheduler: Scheduler;
  readonly #faultProfile: FaultProfile;
  readonly #random: Random;
  readonly #ledger: Ledger;
  readonly #gateway: WebhookGateway;
  #tokens = 0;

  constructor({
    scheduler,
    faultProfile,
    random,
    ledger,
    gateway,
  }: {
    scheduler: Scheduler;
    faultProfile: FaultProfile;
    random: Random;
    ledger: Ledger;
    gateway: WebhookGateway;
  }) {
    this.#scheduler = scheduler;
    this.#faultProfile = faultProfile;
    this.#random = random;
    this.#ledger = ledger;
    this.#gateway = gateway;
  }

  nextToken(): string {
    return `j${(this.#tokens += 1)}`;
  }

  /** Sends an event in the background. Faults may lose, delay or duplicate it. */
  sendEvent(entry: LedgerEntry, webhook: ProviderWebhook): void {
    const profile = this.#faultProfile;
    const name =
      webhook.to === 'voice-event' && webhook.event.kind === 'call'
        ? webhook.event.phase
        : webhook.to === 'video-event'
          ? webhook.event.kind
          : webhook.to;
    // A lost event of the end does not excuse a live leg.
    const record = (fault: string): void => {
      if (entry.endedAt === null) recordFault(entry, fault);
    };
    const lose = (): void => {
      record('webhook-lost');
      entry.isEndLost ||= entry.endedAt !== null;
      this.#ledger.recordHistory(entry, `webhook ${name} is lost`);
    };
    if (profile.isEnabled && profile.webhookLossProbability > 0 && this.#random.bool(profile.webhookLossProbability)) {
      profile.count('webhook-lost');
      lose();
      return;
    }
    if (profile.shouldInject('webhook-lost')) {
      lose();
      return;
    }
    let delay =
      this.#random.between(20, 120) + (profile.isEnabled ? profile.maxWebhookDelayMs * this.#random.next() : 0);
    if (profile.shouldInject('webhook-late')) {
      delay += this.#random.between(500, 20_000);
      record('webhook-late');
      this.#ledger.recordHistory(entry, `webhook ${name} is ${Math.round(delay)} ms late`);
    } else if (profile.shouldInject('webhook-very-late')) {
      delay += 600_000;
      record('webhook-late');
      this.#ledger.recordHistory(entry, `webhook ${name} is ten minutes late`);
    }
    this.#scheduler.after(delay, () => this.#attempt(entry, webhook, 1));
    if (profile.shouldInject('webhook-duplicate')) {
      const copies = 1 + this.#random.int(4);
      // Either the same signed request, or the same event with a new signature.
      for (let i = 0; i < copies; i++) {
        const copy = this.#random.bool(0.5) ? webhook : { ...webhook, jti: this.nextToken() };
        this.#scheduler.after(delay + this.#random.between(0, 30_000), () => this.#attempt(entry, copy, DUPLICATE));
      }
    }
  }

  #attempt(entry: LedgerEntry, webhook: ProviderWebhook, attempt: number): void {
    this.post(webhook, (outcome) => {
      if (outcome.ok || outcome.failure === 'rejected' || attempt === DUPLICATE) return;
      const isVideo = webhook.to === 'video-event';
      if (!isVideo && (attempt >= 2 || outcome.failure === 'failed')) {
        this.#ledger.recordHistory(entry, `webhook ${webhook.to} could not be delivered`);
        recordFault(entry, 'webhook-lost');
        return;
      }
      const wait = isVideo ? Math.min(MAX_VIDEO_RETRY_MS, FIRST_VIDEO_RETRY_MS * 2 ** (attempt - 1)) : 1_000;
      if (wait * 2 > VIDEO_RETRY_PERIOD_MS) return;
      if (isVideo) recordFault(entry, 'webhook-late');
      this.#scheduler.after(wait, () => this.#attempt(entry, { ...webhook, jti: this.nextToken() }, attempt + 1));
    });
  }

  /** Sends one request. After the provider's timeout the outcome is `unreachable`. */
  post(webhook: ProviderWebhook, onOutcome: (outcome: WebhookOutcome) => void): void {
    let isSettled = false;
    const settle = (outcome: WebhookOutcome): void => {
      if (isSettled) return;
      isSettled = true;
      this.#scheduler.cancel(timer);
      onOutcome(outcome);
    };
    const timer = this.#scheduler.after(ANSWER_TIMEOUT_MS, () => settle({ ok: false, failure: 'unreachable' }));
    this.#gateway(webhook, (outcome) => void this.#scheduler.after(5, () => settle(outcome)));
  }

  /**
   * Requests the plan of a call. Null after a rejection or three failed attempts: the call then
   * ends.
   */
  requestPlan(
    entry: LedgerEntry,
    webhook: Extract<ProviderWebhook, { to: 'answer' | 'answer-dialled' | 'digits' }>,
    onPlan: (plan: CallPlan | null) => void,
    attempt = 1,
  ): void {
    this.post(webhook, (outcome) => {
      if (outcome.ok && !(attempt === 1 && this.#faultProfile.shouldInject('answer-repeated'))) {
        onPlan(outcome.plan);
        return;
      }
      if ((!outcome.ok && outcome.failure === 'rejected') || attempt >= 3) {
        this.#ledger.recordHistory(entry, `webhook ${webhook.to} got no plan`);
        onPlan(null);
        return;
      }
      this.requestPlan(entry, { ...webhook, jti: this.nextToken() }, onPlan, attempt + 1);
    });
  }
}
