import type { Callback, CallbackVerification } from './callback.ts';
import type { VoiceAnswer, VoiceEvent, VoiceInput } from './provider-event.ts';

/** Capabilities of a voice provider; see `MediaCapabilities`. */
export interface VoiceCapabilities {
  /** Live calls can be listed. */
  readonly listCalls: boolean;
  /** A call in the conference can be muted. */
  readonly mute: boolean;
  /** DTMF tones can be sent to the far end of a call. */
  readonly sendDigits: boolean;
  /** A text can be spoken to a call in the conference. */
  readonly say: boolean;
  /** An answered call can be given another plan. */
  readonly transfer: boolean;
  /** The deadline of a live call can be changed, and look-ups show it. */
  readonly setDeadline: boolean;
}

/**
 * Why a call is not answered. `unavailable`: the number exists, and takes no calls at the moment.
 */
export type RejectReason = 'unknown-number' | 'unavailable' | 'busy';

/**
 * One step of a call, independent of the provider. The provider converts it to its own instructions
 * (an NCCO).
 */
export type CallStep =
  /**
   * Ends an incoming call without answering it, so that it costs the caller nothing. Speaks the text
   * before the end instead where the call is answered, as with a provider that answers every call.
   */
  | { readonly do: 'reject'; readonly reason: RejectReason; readonly text: string; readonly language: string }
  | { readonly do: 'say'; readonly text: string; readonly language: string; readonly bargeIn?: boolean }
  | { readonly do: 'ask-digits'; readonly maxDigits: number; readonly timeoutS: number; readonly replyUrl: string }
  | {
      readonly do: 'join';
      readonly conversation: string;
      readonly eventUrl: string;
      readonly startOnEnter?: boolean;
      readonly endOnExit?: boolean;
      /** The call joins muted; `mute` unmutes it. Default: false. */
      readonly muted?: boolean;
      /**
       * The call ends by itself then, if the provider can set such a timer for a live call. Absent: the
       * timer of `createCall` counts.
       */
      readonly deadline?: Date;
    };
/** An empty plan ends the call. */
export type CallPlan = readonly CallStep[];

export interface CreateCall {
  /** E.164 with plus. */
  readonly to: string;
  readonly from: string;
  /**
   * Requested when the far end answers. It contains our leg id, so that the leg is known even when
   * the reply to the request is lost.
   */
  readonly answerUrl: string;
  readonly eventUrl: string;
  /** Dead-man's timers at the provider, in seconds; clamped to the provider's limits. */
  readonly ringingTimerS: number;
  readonly lengthTimerS: number;
}

/** A call as shown by the provider's inventory or look-up. */
export interface ObservedCall {
  readonly callId: string;
  readonly over: boolean;
  /**
   * The called number, E.164 with plus; null for an inbound call, or when the provider does not
   * report it.
   */
  readonly calledNumber: string | null;
  /** When the call ends by itself, as the last plan or `setDeadline` said; absent: not reported. */
  readonly deadline?: Date;
  readonly event: VoiceEvent;
}

/**
 * A voice provider for one provider account. Every method settles within the account's timeout and
 * throws only `ProviderError`.
 */
export interface VoiceProvider {
  readonly kind: string;
  /**
   * The key by which the provider counts requests for its rate limit. Not a secret. Null: the
   * provider has no rate limit.
   */
  readonly rateLimitKey: string | null;
  readonly capabilities: VoiceCapabilities;
  /** Converts a plan to the JSON reply body that makes a call follow it. */
  renderPlan(plan: CallPlan): unknown;
  /** Places a call. After `unknown`, do not place it again: its events name the leg. */
  createCall(input: CreateCall): Promise<{ callId: string }>;
  /** Requests the end of a call. Accepted does not mean ended. */
  hangUp(callId: string): Promise<void>;
  mute(callId: string, muted: boolean): Promise<void>;
  /** Sends DTMF tones to the far end: 0-9 * #, and `p` for a pause of half a second. */
  sendDigits(callId: string, digits: string): Promise<void>;
  /**
   * Speaks a text to one call, which stays in the conference.
   * @param language BCP 47
   */
  say(callId: string, text: string, language: string): Promise<void>;
  /**
   * Gives an answered call another plan: it stops what it does, leaves its conversation, which goes
   * on even after an `endOnExit`, and follows the plan. Repeating a request may begin the plan again.
   * Fails as `not-found` when the call is over, and as `busy` before it is answered.
   */
  transfer(callId: string, plan: CallPlan): Promise<void>;
  /**
   * Changes when a live call ends by itself, whatever fails by then. The provider may add a margin of
   * a minute, so that Partyline ends the call first.
   */
  setDeadline(callId: string, deadline: Date): Promise<void>;
  /**
   * Looks up one call; `null` when the provider does not know it, which does not prove that it is
   * over.
   */
  getCall(callId: string): Promise<ObservedCall | null>;
  /**
   * Lists every call that is not over, all pages (the timeout applies per page). Throws instead of
   * returning a partial list.
   * @param beforePage awaited before each request, so that the rate limiter counts every one
   */
  listLiveCalls(beforePage?: () => Promise<void>): Promise<readonly ObservedCall[]>;
  verifyCallback(callback: Callback, now: Date): CallbackVerification;
  /** @throws VerdictError (client) when the body has no call id */
  parseAnswer(body: unknown): VoiceAnswer;
  /** Accepts the object form and the legacy string form (contract section 3). */
  parseInput(body: unknown): VoiceInput;
  /** An unknown event gives `{ kind: 'unknown' }`, never an error. */
  parseEvent(body: unknown): VoiceEvent;
}
