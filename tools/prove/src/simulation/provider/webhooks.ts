import type { MediaEvent, VoiceAnswer, VoiceEvent, VoiceInput } from '@partyline/provider-contract/provider-event';
import type { CallPlan } from '@partyline/provider-contract/voice-provider';
import type { Random } from '../runtime/random.ts';
import type { Scheduler } from '../runtime/scheduler.ts';
import { touch, type Entry, type Ledger } from './ledger.ts';
import type { Weather } from './fault-profile.ts';

/** A webhook on its way to us; `jti` names its signature, of which each may be used once. */
export type Hook =
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
export type HookOutcome =
  | { readonly ok: true; readonly plan: CallPlan | null }
  | { readonly ok: false; readonly how: 'refused' | 'failed' | 'unreachable' };

/** Our webhook servers behind their load balancer. Answers by calling back, or never. */
export type Gateway = (hook: Hook, done: (outcome: HookOutcome) => void) => void;

const ANSWER_TIMEOUT_MS = 5_000;
const VIDEO_RETRY_FIRST_MS = 5_000;
const VIDEO_RETRY_MOST_MS = 900_000;
const VIDEO_RETRY_FOR_MS = 24 * 3_600_000;

/** Delivers webhooks as the vendor does: status events tried twice at most, video's for a day, answers three times and then the call is let go. */
export class Hooks {
  readonly #scheduler: Scheduler;
  readonly #weather: Weather;
  readonly #random: Random;
  readonly #ledger: Ledger;
  readonly #gateway: Gateway;
  #tokens = 0;

  constructor({
    scheduler,
    weather,
    random,
    ledger,
    gateway,
  }: {
    scheduler: Scheduler;
    weather: Weather;
    random: Random;
    ledger: Ledger;
    gateway: Gateway;
  }) {
    this.#scheduler = scheduler;
    this.#weather = weather;
    this.#random = random;
    this.#ledger = ledger;
    this.#gateway = gateway;
  }

  token(): string {
    return `j${(this.#tokens += 1)}`;
  }

  /** A fact, delivered in the background: lost, doubled, late, or as it should be. */
  tell(entry: Entry, hook: Hook): void {
    const weather = this.#weather;
    const what =
      hook.to === 'voice-event' && hook.event.kind === 'call'
        ? hook.event.phase
        : hook.to === 'video-event'
          ? hook.event.kind
          : hook.to;
    // That it is over keeps nothing up.
    const hit = (fault: string): void => {
      if (entry.endedAt === null) touch(entry, fault);
      else entry.toldLate = true;
    };
    if (weather.stormy && weather.webhooksLost > 0 && this.#random.chance(weather.webhooksLost)) {
      weather.count('webhook-lost');
      hit('webhook-lost');
      this.#ledger.tell(entry, `webhook ${what} is lost`);
      return;
    }
    if (weather.strikes('webhook-lost')) {
      hit('webhook-lost');
      this.#ledger.tell(entry, `webhook ${what} is lost`);
      return;
    }
    let delay = this.#random.between(20, 120) + (weather.stormy ? weather.webhooksDelayedMs * this.#random.next() : 0);
    if (weather.strikes('webhook-late')) {
      delay += this.#random.between(500, 20_000);
      hit('webhook-late');
      this.#ledger.tell(entry, `webhook ${what} comes ${Math.round(delay)} ms late`);
    } else if (weather.strikes('webhook-very-late')) {
      delay += 600_000;
      hit('webhook-late');
      this.#ledger.tell(entry, `webhook ${what} comes ten minutes late`);
    }
    this.#scheduler.after(delay, () => this.#attempt(entry, hook, 1));
    if (weather.strikes('webhook-doubled')) {
      const copies = 1 + this.#random.int(4);
      // The same signed request again, or the same event signed anew.
      for (let i = 0; i < copies; i++) {
        const again = this.#random.chance(0.5) ? hook : { ...hook, jti: this.token() };
        this.#scheduler.after(delay + this.#random.between(0, 30_000), () => this.#attempt(entry, again, 99));
      }
    }
  }

  /** @param attempt 99 for a copy, which is not tried again */
  #attempt(entry: Entry, hook: Hook, attempt: number): void {
    this.post(hook, (outcome) => {
      if (outcome.ok || outcome.how === 'refused' || attempt === 99) return;
      const video = hook.to === 'video-event';
      if (!video && (attempt >= 2 || outcome.how === 'failed')) {
        this.#ledger.tell(entry, `webhook ${hook.to} could not be delivered`);
        touch(entry, 'webhook-lost');
        entry.toldLate = true;
        return;
      }
      const wait = video ? Math.min(VIDEO_RETRY_MOST_MS, VIDEO_RETRY_FIRST_MS * 2 ** (attempt - 1)) : 1_000;
      if (wait * 2 > VIDEO_RETRY_FOR_MS) return;
      entry.toldLate = true;
      if (video) touch(entry, 'webhook-late');
      this.#scheduler.after(wait, () => this.#attempt(entry, { ...hook, jti: this.token() }, attempt + 1));
    });
  }

  /** One request, with the vendor's timeout: `unreachable` also when no answer came in time. */
  post(hook: Hook, done: (outcome: HookOutcome) => void): void {
    let settled = false;
    const once = (outcome: HookOutcome): void => {
      if (settled) return;
      settled = true;
      this.#scheduler.cancel(timer);
      done(outcome);
    };
    const timer = this.#scheduler.after(ANSWER_TIMEOUT_MS, () => once({ ok: false, how: 'unreachable' }));
    this.#gateway(hook, (outcome) => void this.#scheduler.after(5, () => once(outcome)));
  }

  /** Asks what a call is to do; after three attempts that fail, `null`: the fallback lets the call go. */
  ask(
    entry: Entry,
    hook: Extract<Hook, { to: 'answer' | 'answer-rung' | 'digits' }>,
    done: (plan: CallPlan | null) => void,
    attempt = 1,
  ): void {
    this.post(hook, (outcome) => {
      if (outcome.ok && !(attempt === 1 && this.#weather.strikes('answer-repeated'))) {
        done(outcome.plan);
        return;
      }
      if ((!outcome.ok && outcome.how === 'refused') || attempt >= 3) {
        this.#ledger.tell(entry, `${hook.to}: nobody says what to do`);
        done(null);
        return;
      }
      this.ask(entry, { ...hook, jti: this.token() }, done, attempt + 1);
    });
  }
}
