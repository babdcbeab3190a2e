import type { Charge } from '@partyline/domain/money';
import type { Verdict } from '@partyline/domain/verdict';

/**
 * An event from a video provider. `since` is the time at which the connection was made. `at` and
 * `since` are the provider's clock: they are displayed and compared with each other, never used for
 * a deadline; null when no valid time was given.
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
 * An event of a call from a voice provider. Only `phase: 'over'`, the terminal observation, closes
 * a voice handle. `at` as in `MediaEvent`; it is null in a look-up of a live call.
 */
export type VoiceEvent =
  | {
      readonly kind: 'call';
      readonly callId: string;
      readonly phase: 'started' | 'ringing' | 'answered' | 'over';
      readonly verdict?: Verdict;
      /** The charge of a call that is over, if the provider reports it. */
      readonly charge?: Charge;
      readonly at: Date | null;
    }
  | { readonly kind: 'moved'; readonly callId: string; readonly at: Date | null }
  | { readonly kind: 'problem'; readonly callId?: string; readonly reason: string }
  | { readonly kind: 'unknown'; readonly name: string };

/**
 * An answered call that requests instructions. `headers` holds the custom SIP headers with
 * lower-case names (`x-partyline-leg`).
 */
export interface VoiceAnswer {
  readonly callId: string;
  /** E.164 with plus; null when withheld or not a number. */
  readonly from: string | null;
  /** E.164 with plus, or null. */
  readonly to: string | null;
  readonly viaSip: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Digits that a caller keyed. `digits` holds keypad characters only (0-9 * #); empty when none was
 * keyed in time.
 */
export interface VoiceInput {
  readonly callId: string;
  readonly digits: string;
  readonly timedOut: boolean;
}
