import type { Clock } from '@partyline/domain/clock';
import { VerdictError } from '@partyline/domain/verdict';
import type { CallCause, CallView, PlanReply } from '@partyline/provider-janus/wire';

export type CallPhase = CallView['phase'];

/** What does not change during a call. Numbers are E.164. */
export interface CallFacts {
  readonly callId: string;
  readonly account: string;
  readonly direction: 'inbound' | 'outbound';
  readonly to: string | null;
  readonly from: string | null;
}

/** Why a call is over. */
export interface CallEnd {
  readonly cause: CallCause;
  readonly sipCode?: number;
}

export const callNotFound = (): VerdictError =>
  new VerdictError('client', 'call-not-found', 'There is no such live call here.');

const ORDER: readonly CallPhase[] = ['started', 'ringing', 'answered', 'over'];

/**
 * One telephone call: its phase, and its actions while it is live. It moves forward only; `over` is
 * final.
 */
export class Call {
  readonly facts: CallFacts;
  readonly #clock: Clock;
  readonly #onPhase: (call: Call) => void;
  #phase: CallPhase = 'started';
  #at: Date;
  #end: CallEnd | undefined;
  /** The first cause of an end that we requested; the far side's final reply comes later. */
  #requestedEnd: CallEnd | undefined;
  /** When we and kamailio end the call; undefined: kamailio ends it as it ends any call. */
  endsAt: Date | undefined;
  /** Set while the call has a line. */
  controls: CallControls | undefined;

  constructor(facts: CallFacts, deps: { readonly clock: Clock; readonly onPhase: (call: Call) => void }) {
    this.facts = facts;
    this.#clock = deps.clock;
    this.#onPhase = deps.onPhase;
    this.#at = deps.clock.now();
  }

  get phase(): CallPhase {
    return this.#phase;
  }

  get isOver(): boolean {
    return this.#phase === 'over';
  }

  get isEndRequested(): boolean {
    return this.#requestedEnd !== undefined;
  }

  /** Moves the call forward; returns `false` when it is already there or further. */
  advance(phase: Exclude<CallPhase, 'over'>): boolean {
    if (ORDER.indexOf(phase) <= ORDER.indexOf(this.#phase)) return false;
    return this.#move(phase);
  }

  /** States why we end the call, before its line has ended. The first statement counts. */
  requestEnd(end: CallEnd): void {
    this.#requestedEnd ??= end;
  }

  /** Ends the call. An end that we requested states the cause. */
  end(end: CallEnd): boolean {
    if (this.isOver) return false;
    this.#end = this.#requestedEnd ?? end;
    this.controls = undefined;
    return this.#move('over');
  }

  view(): CallView {
    const { callId, account, direction, to } = this.facts;
    return {
      callId,
      account,
      direction,
      to,
      phase: this.#phase,
      at: this.#at.toISOString(),
      ...this.#end,
      ...(this.endsAt !== undefined && { endsAt: this.endsAt.toISOString() }),
    };
  }

  #move(phase: CallPhase): true {
    this.#phase = phase;
    this.#at = this.#clock.now();
    this.#onPhase(this);
    return true;
  }
}

/** The actions on a live call. */
export interface CallControls {
  hangUp(): Promise<void>;
  mute(muted: boolean): Promise<void>;
  /** Sends DTMF: 0-9 * #, and `p` for a pause of half a second. */
  sendDigits(digits: string): void;
  /** Speaks a text to this call only, which stays where it is. */
  say(text: string, language: string): Promise<void>;
  /**
   * Replaces the plan of the call. A plan that the call already follows continues.
   * @throws VerdictError `call-not-answered` (503) while it follows none; `call-not-found` (404) when it ends
   */
  transfer(plan: PlanReply): void;
  /** Ends the call after so many seconds, instead of when its plan said. @throws as `transfer` */
  setDeadline(seconds: number): void;
}

function rejectUnanswered(): never {
  throw new VerdictError('upstream', 'call-not-answered', 'The call is not answered, so it follows no plan yet.', {
    retryAfterMs: 1_000,
  });
}

/** Before the answer, nobody hears anything. */
export const UNANSWERED_CONTROLS: Omit<CallControls, 'hangUp'> = {
  mute: async () => undefined,
  sendDigits: () => undefined,
  say: async () => undefined,
  transfer: rejectUnanswered,
  setDeadline: rejectUnanswered,
};
