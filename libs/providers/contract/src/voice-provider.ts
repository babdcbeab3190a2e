import type { Callback, CallbackVerification } from './callback.ts';
import type { VoiceAnswer, VoiceEvent, VoiceInput } from './provider-event.ts';

/** What a voice provider can do; as `MediaCapabilities`. */
export interface VoiceCapabilities {
  /** Can live calls be listed? */
  readonly listCalls: boolean;
  /** Can a call that is in the conference be muted? */
  readonly mute: boolean;
  /** Can keys be pressed for us on a call, so that the far end hears their tones? */
  readonly sendDigits: boolean;
  /** Can something be said to a call that is in the conference? */
  readonly say: boolean;
}

/** What a call is to do next, in our words; the provider turns it into its own instructions (an NCCO). */
export type CallStep =
  | { readonly do: 'say'; readonly text: string; readonly language: string; readonly bargeIn?: boolean }
  | { readonly do: 'ask-digits'; readonly maxDigits: number; readonly timeoutS: number; readonly replyUrl: string }
  | {
      readonly do: 'join';
      readonly conversation: string;
      readonly eventUrl: string;
      readonly startOnEnter?: boolean;
      readonly endOnExit?: boolean;
    };
/** An empty plan lets the call go. */
export type CallPlan = readonly CallStep[];

export interface CreateCall {
  /** E.164 with plus. */
  readonly to: string;
  readonly from: string;
  /** Asked when the far end picks up; carries our leg id, so an answer that we never saw still names its leg. */
  readonly answerUrl: string;
  readonly eventUrl: string;
  /** Dead-man's timers at the vendor, in seconds; clamped to what the vendor allows. */
  readonly ringingTimerS: number;
  readonly lengthTimerS: number;
}

/** A call as the vendor's own list or look-up shows it. */
export interface ObservedCall {
  readonly callId: string;
  readonly over: boolean;
  /** Whom it rings, E.164 with plus; null for a call that came in, or when the vendor does not tell. */
  readonly calledNumber: string | null;
  readonly event: VoiceEvent;
}

/** A voice vendor. Built fresh per provider account. Every method settles within the account's timeout and throws only `ProviderError`. */
export interface VoiceProvider {
  readonly kind: string;
  /** What the vendor counts requests by. No secret. */
  readonly rateLimitKey: string;
  readonly capabilities: VoiceCapabilities;
  /** The reply body (JSON) that makes a call follow the plan. */
  renderPlan(plan: CallPlan): unknown;
  /** Places a call. After `unknown` do not place it again: its events name the leg. */
  createCall(input: CreateCall): Promise<{ callId: string }>;
  /** Asks for a call to be ended. Accepted is not ended. */
  hangUp(callId: string): Promise<void>;
  mute(callId: string, muted: boolean): Promise<void>;
  /** Plays keys to the far end: 0-9 * #, and `p` for a pause of half a second. */
  sendDigits(callId: string, digits: string): Promise<void>;
  /** Says something to one call, which stays where it is. @param language BCP 47 */
  say(callId: string, text: string, language: string): Promise<void>;
  /** Looks one call up; `null` when the vendor does not know it, which is no proof that it is over. */
  getCall(callId: string): Promise<ObservedCall | null>;
  /**
   * Every call that the vendor says is not over, all pages (the timeout is per page); throws rather than give a partial list.
   * @param beforePage awaited before each of its requests, so that whoever paces the account counts them all
   */
  listLiveCalls(beforePage?: () => Promise<void>): Promise<readonly ObservedCall[]>;
  verifyCallback(callback: Callback, now: Date): CallbackVerification;
  /** Throws `VerdictError` (client) when there is no call id in it. */
  parseAnswer(body: unknown): VoiceAnswer;
  /** Takes the object form and the legacy string form (contract section 3). */
  parseInput(body: unknown): VoiceInput;
  /** Unknown events give `{ kind: 'unknown' }`, never an error. */
  parseEvent(body: unknown): VoiceEvent;
}
