import type { Charge } from '@partyline/domain/money';
import type { Verdict } from '@partyline/domain/verdict';

/**
 * What a video vendor told us, in our words. `since`: when the connection was made. `at` and `since` are the vendor's clock: shown, and compared with each other, never used
 * for a deadline; null when the vendor gave no time that can be read.
 */
export type MediaEvent =
  | {
      readonly kind: 'connected';
      readonly mediaSessionId: string;
      readonly connectionId: string;
      readonly data: string;
      readonly at: Date | null;
      readonly since?: Date | null;
    }
  | {
      readonly kind: 'disconnected';
      readonly mediaSessionId: string;
      readonly connectionId: string;
      readonly data: string;
      readonly reason: string;
      readonly at: Date | null;
      readonly since?: Date | null;
    }
  | {
      readonly kind: 'sip-call';
      readonly mediaSessionId: string;
      readonly connectionId: string;
      readonly sipCallId: string;
      readonly phase: 'ringing' | 'active' | 'over';
      readonly verdict?: Verdict;
      readonly at: Date | null;
    }
  | { readonly kind: 'unknown'; readonly name: string };

/**
 * What a voice vendor told us about a call. `phase: 'over'` is the terminal observation that alone closes a voice handle. `at` as in
 * `MediaEvent`: a look-up of a live call has no time in it.
 */
export type VoiceEvent =
  | {
      readonly kind: 'call';
      readonly callId: string;
      readonly phase: 'started' | 'ringing' | 'answered' | 'over';
      readonly verdict?: Verdict;
      /** Of a call that is over, when the vendor says what it charges. */
      readonly charge?: Charge;
      readonly at: Date | null;
    }
  | { readonly kind: 'moved'; readonly callId: string; readonly at: Date | null }
  | { readonly kind: 'problem'; readonly callId?: string; readonly reason: string }
  | { readonly kind: 'unknown'; readonly name: string };

/** A call that asks what to do. `headers` holds the custom SIP headers with lower-case names (`x-partyline-leg`). */
export interface VoiceAnswer {
  readonly callId: string;
  /** E.164 with plus, or null when withheld or no number. */
  readonly from: string | null;
  /** E.164 with plus, or null. */
  readonly to: string | null;
  readonly viaSip: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a caller keyed. `digits` holds only what is on a keypad (0-9 * #); empty when nothing was keyed in time. */
export interface VoiceInput {
  readonly callId: string;
  readonly digits: string;
  readonly timedOut: boolean;
}
