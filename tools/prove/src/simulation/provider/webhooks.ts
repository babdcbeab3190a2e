import type { MediaEvent, VoiceAnswer, VoiceEvent, VoiceInput } from '@partyline/provider-contract/provider-event';
import type { CallPlan } from '@partyline/provider-contract/voice-provider';
import type { Random } from '../runtime/random.ts';
import type { Scheduler } from '../runtime/scheduler.ts';
import { recordFault, type LedgerEntry, type Ledger } from './ledger.ts';
import type { FaultProfile } from './fault-profile.ts';

/** A webhook on its way to us; `jti` names its signature, of which each may be used once. */
export type ProviderWebhook =
  | { readonly to: 'answer'; readonly jti: string; readonly call: VoiceAnswer }
  | { readonly to: 'answer-rung'; readonly jti: string; readonly legId: string; readonly call: VoiceAnswer }
  | {
      readonly to: 'digits';
      readonly jti: string;
      readonly legId: string;
      readonly tryNo: number;
      readonly input: VoiceInput;
    }
  | { readonly to: 'voice-event'; readonly jti: string; readonly legId: string | undefined; readonly event: VoiceEvent }
  | { readonly to: 'video-event'; readonly jti: string; readonly event: MediaEvent };

/** How the other side answered: a plan or nothing, a refusal (4xx), a failure (5xx), or no connection at all. */
export type WebhookOutcome =
  | { readonly ok: true; readonly plan: CallPlan | null }
  | { readonly ok: false; readonly failure: 'refused' | 'failed' | 'unreachable' };

/** Our webhook servers behind their load balancer. Answers by calling back, or never. */
export type WebhookGateway = (hook: ProviderWebhook, done: (outcome: WebhookOutcome) => void) => void;

const ANSWER_TIMEOUT_MS = 5_000;
const FIRST_VIDEO_RETRY_MS = 5_000;
const MAX_VIDEO_RETRY_MS = 900_000;
const VIDEO_RETRY_PERIOD_MS = 24 * 3_600_000;

/** Delivers webhooks as the vendor does: status events tried twice at most, video's for a day, answers three times and then the call is let go. */
export class WebhookSender {
  readonly #scheduler: Scheduler;
  readonly #weather: FaultProfile;
  readonly #random: Random;
  readonly #ledger: Ledger;
  readonly #gateway: WebhookGateway;
  #tokens = 0;

  constructor({
    scheduler,
    weather,
    random,
    ledger,
    gateway,
  }: {
    scheduler: Scheduler;
    weather: FaultProfile;
    random: Random;
    ledger: Ledger;
    gateway: WebhookGateway;
  }) {
    this.#scheduler = scheduler;
    this.#weather = weather;
    this.#random = random;
    this.#ledger = ledger;
    this.#gateway = gateway;
  }

  nextToken(): string {
    return `j${(this.#tokens += 1)}`;
  }

  /** A fact, delivered in the background: lost, doubled, late, or as it should be. */
  sendEvent(entry: LedgerEntry, hook: ProviderWebhook): void {
    const weather = this.#weather;
    const what =
      hook.to === 'voice-event' && hook.event.kind === 'call'
        ? hook.event.phase
        : hook.to === 'video-event'
          ? hook.event.kind
          : hook.to;
    // That it is over keeps nothing up.
    const hit = (fault: string): void => {
      if (entry.endedAt === null) recordFault(entry, fault);
      else entry.toldLate = true;
    };
    if (weather.isEnabled && weather.webhookLossProbability > 0 && this.#random.bool(weather.webhookLossProbability)) {
      weather.count('webhook-lost');
      hit('webhook-lost');
      this.#ledger.recordHistory(entry, `webhook ${what} is lost`);
      return;
    }
    if (weather.shouldInject('webhook-lost')) {
      hit('webhook-lost');
      this.#ledger.recordHistory(entry, `webhook ${what} is lost`);
      return;
    }
    let delay = this.#random.between(20, 120) + (weather.isEnabled ? weather.maxWebhookDelayMs * this.#random.next() : 0);
    if (weather.shouldInject('webhook-late')) {
      delay += this.#random.between(500, 20_000);
      hit('webhook-late');
      this.#ledger.recordHistory(entry, `webhook ${what} comes ${Math.round(delay)} ms late`);
    } else if (weather.shouldInject('webhook-very-late')) {
      delay += 600_000;
      hit('webhook-late');
      this.#ledger.recordHistory(entry, `webhook ${what} comes ten minutes late`);
    }
    this.#scheduler.after(delay, () => this.#attempt(entry, hook, 1));
    if (weather.shouldInject('webhook-doubled')) {
      const copies = 1 + this.#random.int(4);
      // The same signed request again, or the same event signed anew.
      for (let i = 0; i < copies; i++) {
        const again = this.#random.bool(0.5) ? hook : { ...hook, jti: this.nextToken() };
        this.#scheduler.after(delay + this.#random.between(0, 30_000), () => this.#attempt(entry, again, 99));
      }
    }
  }

  /** @param attempt 99 for a copy, which is not tried again */
  #attempt(entry: LedgerEntry, hook: ProviderWebhook, attempt: number): void {
    this.post(hook, (outcome) => {
      if (outcome.ok || outcome.failure === 'refused' || attempt === 99) return;
      const video = hook.to === 'video-event';
      if (!video && (attempt >= 2 || outcome.failure === 'failed')) {
        this.#ledger.recordHistory(entry, `webhook ${hook.to} could not be delivered`);
        recordFault(entry, 'webhook-lost');
        entry.toldLate = true;
        return;
      }
      const wait = video ? Math.min(MAX_VIDEO_RETRY_MS, FIRST_VIDEO_RETRY_MS * 2 ** (attempt - 1)) : 1_000;
      if (wait * 2 > VIDEO_RETRY_PERIOD_MS) return;
      entry.toldLate = true;
      if (video) recordFault(entry, 'webhook-late');
      this.#scheduler.after(wait, () => this.#attempt(entry, { ...hook, jti: this.nextToken() }, attempt + 1));
    });
  }

  /** One request, with the vendor's timeout: `unreachable` also when no answer came in time. */
  post(hook: ProviderWebhook, done: (outcome: WebhookOutcome) => void): void {
    let settled = false;
    const once = (outcome: WebhookOutcome): void => {
      if (settled) return;
      settled = true;
      this.#scheduler.cancel(timer);
      done(outcome);
    };
    const timer = this.#scheduler.after(ANSWER_TIMEOUT_MS, () => once({ ok: false, failure: 'unreachable' }));
    this.#gateway(hook, (outcome) => void this.#scheduler.after(5, () => once(outcome)));
  }

  /** Asks what a call is to do; after three attempts that fail, `null`: the fallback lets the call go. */
  requestPlan(
    entry: LedgerEntry,
    hook: Extract<ProviderWebhook, { to: 'answer' | 'answer-rung' | 'digits' }>,
    done: (plan: CallPlan | null) => void,
    attempt = 1,
  ): void {
    this.post(hook, (outcome) => {
      if (outcome.ok && !(attempt === 1 && this.#weather.shouldInject('answer-repeated'))) {
        done(outcome.plan);
        return;
      }
      if ((!outcome.ok && outcome.failure === 'refused') || attempt >= 3) {
        this.#ledger.recordHistory(entry, `${hook.to}: nobody says what to do`);
        done(null);
        return;
      }
      this.requestPlan(entry, { ...hook, jti: this.nextToken() }, done, attempt + 1);
    });
  }
}
