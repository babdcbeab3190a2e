import type { SipEvent } from '@partyline/janus/sip/sip-event';
import type { SipHandle } from '@partyline/janus/sip/sip-handle';
import type { CoreEvent, Jsep } from '@partyline/janus/transport/core-event';
import type { CallStepMessage, PlanReply } from '@partyline/provider-janus/wire';
import type { VoiceCodec } from '../audio/codecs/voice-codec.ts';
import { DigitMerger, DtmfReceiver, type DigitPath } from '../audio/dtmf.ts';
import { ConferenceLeg } from '../conferences/conference-leg.ts';
import type { Place } from '../conferences/place.ts';
import { wantsAudio } from '../sip/negotiate-codec.ts';
import { PhonePeer } from '../sip/phone-peer.ts';
import { CallAudio } from './call-audio.ts';
import { callNotFound, type Call, type CallEnd } from './call.ts';
import type { CallDeps } from './call-deps.ts';
import { runPlan, type PlanPort } from './run-plan.ts';
import { isSamePlan } from './same-plan.ts';

type JoinStep = Extract<CallStepMessage, { do: 'join' }>;

/** The media connection to a Janus on the same host takes 0.3 s. */
const MEDIA_CONNECT_MS = 5_000;
/** A line that has not ended by then has lost its call, or ignored the request. */
const HANG_UP_TIMEOUT_MS = 10_000;
const DEADLINE_RETRY_MS = 5_000;
/** Kamailio ends a call at its deadline within this time. */
const KAMAILIO_LATE_S = 5;
/** Why a plan was stopped whose call goes on. */
const REPLACED = new Error('The call has another plan.');
/** A conference may reject a call while it ends, or while its gateway loses its Janus. */
const ENTER_ATTEMPTS = 3;
const ENTER_RETRY_MS = 500;
/** A digit by SIP INFO, and the pause after it. */
const INFO_DIGIT_MS = 160;
const INFO_GAP_MS = 100;
const PAUSE_MS = 500;

/**
 * A call with its line at Janus: its media, its plan, and its conference. `end` is the only way out;
 * it releases everything, once.
 */
export class PhoneCall {
  readonly call: Call;
  readonly peer: PhonePeer;
  readonly #deps: CallDeps;
  readonly #over = new AbortController();
  readonly #digits: string[] = [];
  readonly #keyListeners = new Set<() => void>();
  readonly #connected = Promise.withResolvers<void>();
  readonly #telephoneEvents = new DtmfReceiver();
  readonly #digitMerger: DigitMerger;
  /** Whether a line has the call, or may have it. */
  #hasLine = false;
  #handle: SipHandle | undefined;
  #sipCallId: string | undefined;
  #audio: CallAudio | undefined;
  #stopTicking: (() => void) | undefined;
  #leg: ConferenceLeg | undefined;
  /** The plan that the call follows, and how to stop it. */
  #plan: { readonly stop: AbortController; reply: unknown } | undefined;
  /** Whether a request has set a deadline that is newer than the plan. */
  #isDeadlineMoved = false;
  /** When kamailio is to end the call (`nowMs`), while it does not know that. */
  #deadlineMs: number | undefined;
  #isSettingDeadline = false;
  /** Stops our own timer of the call. */
  #lengthTimer: AbortController | undefined;
  #place: { readonly place: Place; readonly endOnExit: boolean } | undefined;
  #isMuted = false;
  #isHangingUp = false;
  #isLost = false;
  /** When kamailio had the call, through which a message of it came. */
  #seenAtMs: number;

  constructor(deps: CallDeps, call: Call) {
    this.#deps = deps;
    this.call = call;
    this.#seenAtMs = call.facts.direction === 'inbound' ? deps.nowMs() : -Infinity;
    this.#digitMerger = new DigitMerger({ now: deps.nowMs });
    this.peer = new PhonePeer(
      {
        onConnected: () => this.#connected.resolve(),
        onFailed: () => this.hangUp({ cause: 'failed' }),
        onPacket: () => this.#audio?.noticePhone(),
        onAudio: (payload, timestamp, ssrc) => this.#audio?.receiveFromPhone(payload, timestamp, ssrc),
        onTelephoneEvent: (packet) => this.#receiveDigit(this.#telephoneEvents.receive(packet), 'rtp'),
      },
      deps.random,
    );
  }

  /**
   * Follows the events of a line, which end the call.
   * @param sipCallId the Call-ID of its dialog
   * @returns a function that ignores the line from now on
   */
  followLine(handle: SipHandle, sipCallId: string | undefined): () => void {
    this.#hasLine = true;
    this.#sipCallId = sipCallId;
    const stop = handle.onEvent((event) => {
      if (event.type === 'detached') return void this.#lose();
      if (!isOfCall(event, sipCallId)) return;
      if (event.type === 'ringing' || event.type === 'progress' || event.type === 'accepted')
        this.#seenAtMs = this.#deps.nowMs();
      if (event.type === 'dtmf-info') this.#receiveDigit(event.digit, 'info');
      if (event.type === 'updating-call') void this.#update(handle, event.jsep);
      if (event.type === 'transfer') this.#rejectTransfer(handle, event.referId);
      // Janus 1.1.2 ends a call whose phone rejects the audio, and keeps its peer connection: the next call on
      // the line would get no audio. After the end of a call, this request would end the next one.
      if (event.type === 'hanging-up' && !this.#isHangingUp) handle.closePeerConnection().catch(() => undefined);
      const end = readEnd(event, this.call.phase);
      if (end === undefined) return;
      if (isEndLost(event, this.call)) void this.#lose();
      else this.end(end);
    });
    this.signal.addEventListener('abort', stop, { once: true });
    return () => {
      this.#hasLine = false;
      this.signal.removeEventListener('abort', stop);
      stop();
    };
  }

  /** From now on, the line has the call, and can hang it up. */
  useLine(handle: SipHandle): void {
    this.#handle = handle;
    if (this.call.isEndRequested && !this.call.isOver) this.#hangUpLine(handle);
  }

  /** Aborts when the call is over. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** Starts the audio, in the codec that the peer has negotiated, when the media connection is up. */
  async startAudio(): Promise<void> {
    // Without the connection, the time without packets ends the call.
    await Promise.race([this.#connected.promise, this.#deps.pause(MEDIA_CONNECT_MS, this.signal)]);
    const codec: VoiceCodec | undefined = this.peer.audio && this.#deps.openCodec(this.peer.audio.codec);
    if (codec === undefined || this.signal.aborted) return;
    const audio = new CallAudio(codec, this.#deps.opus, this.peer);
    this.#audio = audio;
    this.#stopTicking = this.#deps.frames.add((frame) => {
      audio.tick(frame);
      if (audio.silentMs > this.#deps.mediaTimeoutMs) this.hangUp({ cause: 'media-timeout' });
    });
  }

  /** Follows the reply to the answer webhook until the call is in its conference, has another plan, or is over. */
  async follow(reply: unknown): Promise<void> {
    this.call.controls = {
      hangUp: async () => this.hangUp({ cause: 'hung-up' }),
      mute: (isMuted) => this.#setMuted(isMuted),
      sendDigits: (digits) => this.#sendDigits(digits),
      say: (text, language) => this.#speak(text, language, this.signal),
      transfer: (plan) => this.#transfer(plan),
      setDeadline: (seconds) => this.#moveDeadline(seconds),
    };
    await this.#followPlan(reply);
  }

  /**
   * Leaves what the call does, and follows another plan. A plan that it follows already continues, with
   * the deadline that the request names.
   * @throws VerdictError `call-not-found` when the call ends
   */
  #transfer(plan: PlanReply): void {
    if (this.call.isEndRequested) throw callNotFound();
    if (isSamePlan(this.#plan?.reply, plan)) {
      for (const step of plan.steps)
        if (step.do === 'join' && step.lengthTimerS !== undefined) this.#moveDeadline(step.lengthTimerS);
      return;
    }
    this.#plan?.stop.abort(REPLACED);
    // Keys of the old plan answer no question of the new one.
    this.#digits.length = 0;
    this.#leaveConference(false);
    this.#audio?.setMusic(undefined);
    void this.#followPlan(plan);
  }

  async #followPlan(reply: unknown): Promise<void> {
    const plan = { stop: new AbortController(), reply };
    this.#plan = plan;
    this.#isDeadlineMoved = false;
    const signal = AbortSignal.any([this.signal, plan.stop.signal]);
    const port: PlanPort = {
      ...this.#planPort(signal),
      requestPlan: async (url, body) => {
        // Without a reply, the call follows no plan that a request could repeat.
        plan.reply = undefined;
        plan.reply = await this.#deps.requestPlan(this.call.facts.account, url, body);
        this.#isDeadlineMoved = false;
        return plan.reply;
      },
    };
    try {
      if ((await runPlan(port, reply)) === 'done' && !signal.aborted) this.hangUp({ cause: 'hung-up' });
    } catch (error) {
      if (signal.aborted) return;
      this.#deps.onError(error, this.call.facts.callId);
      this.hangUp({ cause: 'failed' });
    }
  }

  /** Ends the call after so many seconds, instead of when it was said before. */
  endAfter(seconds: number): void {
    this.#lengthTimer?.abort();
    const timer = new AbortController();
    this.#lengthTimer = timer;
    void this.#deps.pause(seconds * 1_000, AbortSignal.any([timer.signal, this.signal])).then(() => {
      if (!timer.signal.aborted) this.hangUp({ cause: 'max-duration' });
    });
  }

  /** Requests the end at the phone. The call is over when the line says so. */
  hangUp(end: CallEnd): void {
    if (this.call.isOver) return;
    this.call.requestEnd(end);
    if (this.#handle !== undefined) this.#hangUpLine(this.#handle);
    else if (!this.#hasLine) this.end(end);
  }

  /** Ends the call, because its line has ended, and releases its resources. */
  end(end: CallEnd): void {
    if (this.call.end(end)) this.#release();
  }

  /** The line is gone without an end of the call: the phone may still be up. */
  async #lose(): Promise<void> {
    if (this.call.isOver || this.#isLost) return;
    this.#isLost = true;
    this.call.requestEnd({ cause: 'gateway-lost' });
    this.call.controls = undefined;
    this.#release();
    await this.#deps.endLost(this.call.facts.callId, this.#seenAtMs);
    this.call.end({ cause: 'gateway-lost' });
  }

  #hangUpLine(handle: SipHandle): void {
    if (this.#isHangingUp) return;
    this.#isHangingUp = true;
    handle.hangUp().catch((error: unknown) => {
      if (!this.call.isOver) this.#deps.onError(error, this.call.facts.callId);
    });
    void this.#deps.pause(HANG_UP_TIMEOUT_MS, this.signal).then(() => this.#lose());
  }

  /** A phone cannot hand its place in a conference to another one. */
  #rejectTransfer(handle: SipHandle, referId: number): void {
    handle.decline({ code: 603, referId }).catch((error: unknown) => this.#deps.onError(error, this.call.facts.callId));
  }

  /** Answers a re-INVITE: the phone holds the call, resumes it, or refreshes its session. */
  async #update(handle: SipHandle, offer: Jsep | undefined): Promise<void> {
    try {
      const description = offer === undefined ? await this.peer.offerAgain() : await this.peer.answerAgain(offer);
      if (this.signal.aborted) return;
      if (description === undefined) return this.hangUp({ cause: 'failed', sipCode: 488 });
      await handle.update(description);
      if (offer !== undefined) this.#audio?.setHeld(!wantsAudio(offer.sdp));
    } catch (error) {
      this.#deps.onError(error, this.call.facts.callId);
      this.hangUp({ cause: 'failed' });
    }
  }

  #release(): void {
    this.#over.abort();
    this.#stopTicking?.();
    this.peer.close();
    this.#leaveConference(true);
    this.#audio?.close();
    this.#audio = undefined;
  }

  /** @param signal aborts when the call is over or has another plan */
  #planPort(signal: AbortSignal): Omit<PlanPort, 'requestPlan'> {
    return {
      callId: this.call.facts.callId,
      signal,
      speak: (text, language, stop) => this.#speak(text, language, stop),
      takeDigits: () => this.#digits.splice(0).join(''),
      nextDigit: (stop) => this.#nextDigit(stop),
      pause: this.#deps.pause,
      join: (step) => this.#join(step, signal),
      onProblem: (reason) => this.#deps.onProblem(this.call, reason),
    };
  }

  async #speak(text: string, language: string, stop: AbortSignal): Promise<void> {
    const audio = this.#audio;
    if (audio === undefined) return;
    const pcm = await this.#deps.speak(text, language, audio.sampleRate);
    // A text of the next plan goes on.
    if (stop.aborted) return;
    await audio.speak(pcm, AbortSignal.any([stop, this.signal]));
  }

  async #join(step: JoinStep, signal: AbortSignal): Promise<void> {
    if (this.#audio === undefined) return;
    this.#isMuted = step.muted ?? false;
    if (step.lengthTimerS !== undefined && !this.#isDeadlineMoved) void this.#setDeadline(step.lengthTimerS);
    await this.#enter(step, this.#audio, signal);
    if (!signal.aborted) this.#deps.onJoined(this.call, step.eventUrl);
  }

  /**
   * Takes a place in the conference; hears music until the conference starts. Enters again, perhaps
   * elsewhere, when the audio is not connected, or the home of the conference is lost.
   */
  async #enter(step: JoinStep, audio: CallAudio, signal: AbortSignal, attempt = 1): Promise<void> {
    const started = Promise.withResolvers<void>();
    const fail = (error: unknown): void => {
      if (signal.aborted) return;
      this.#deps.onError(error, this.call.facts.callId);
      this.hangUp({ cause: 'failed' });
    };
    const leaveWith = (end: CallEnd): void => {
      if (!signal.aborted) this.hangUp(end);
    };
    const place = await this.#deps.takePlace(
      { conference: step.conversation, callId: this.call.facts.callId, starts: step.startOnEnter ?? true },
      {
        onStarted: () => started.resolve(),
        onEnded: () => leaveWith({ cause: 'hung-up' }),
        onRemoved: () => leaveWith({ cause: 'hung-up' }),
        onHomeLost: () => {
          if (signal.aborted) return;
          this.#leaveConference(false);
          this.#enter(step, audio, signal).catch(fail);
        },
      },
    );
    // The call has ended meanwhile, or has another plan, which may have taken a place.
    if (signal.aborted) return place.leave(signal.reason !== REPLACED && step.endOnExit === true);
    this.#place = { place, endOnExit: step.endOnExit ?? false };
    // The conference may start at once: the music is then not heard.
    audio.setMusic(this.#deps.holdMusic(audio.sampleRate));
    void started.promise
      .then(() => this.#connect(place, audio))
      .catch(async (error: unknown) => {
        // After `onHomeLost`, the call has left this place.
        if (this.#place?.place !== place) return;
        if (attempt === ENTER_ATTEMPTS) return fail(error);
        this.#deps.onError(error, this.call.facts.callId);
        this.#leaveConference(false);
        audio.setMusic(this.#deps.holdMusic(audio.sampleRate));
        await this.#deps.pause(ENTER_RETRY_MS, signal);
        if (!signal.aborted) await this.#enter(step, audio, signal, attempt + 1);
      })
      .catch(fail);
  }

  /** Sets a deadline that is newer than that of the plan, whose step may come later. */
  #moveDeadline(seconds: number): void {
    this.#isDeadlineMoved = true;
    void this.#setDeadline(seconds);
  }

  /**
   * Lets kamailio end the call after so many seconds, even if everything else has failed by then. The
   * gateway does it if kamailio does not, for example because it has lost the call. The last request counts.
   */
  async #setDeadline(seconds: number): Promise<void> {
    this.endAfter(seconds + KAMAILIO_LATE_S);
    this.call.endsAt = new Date(this.#deps.clock.now().getTime() + seconds * 1_000);
    this.#deadlineMs = this.#deps.nowMs() + seconds * 1_000;
    if (this.#isSettingDeadline) return;
    this.#isSettingDeadline = true;
    while (this.#deadlineMs !== undefined && !this.signal.aborted && this.#sipCallId !== undefined) {
      const deadlineMs: number = this.#deadlineMs;
      const leftS = Math.ceil((deadlineMs - this.#deps.nowMs()) / 1_000);
      try {
        await this.#deps.setDeadline(this.#sipCallId, Math.max(1, leftS));
        if (this.#deadlineMs === deadlineMs) this.#deadlineMs = undefined;
      } catch (error) {
        this.#deps.onError(error, this.call.facts.callId);
        await this.#deps.pause(DEADLINE_RETRY_MS, this.signal);
      }
    }
    this.#isSettingDeadline = false;
  }

  /** Connects the audio of the call with the conference. */
  async #connect(place: Place, audio: CallAudio): Promise<void> {
    if (this.#place?.place !== place) return;
    audio.setMusic(undefined);
    const leg = await ConferenceLeg.connect({
      place,
      localIp: this.#deps.localIp,
      isMuted: this.#isMuted,
      random: this.#deps.random,
      onAudio: (payload) => audio.receiveFromConference(payload),
    });
    if (this.#place?.place !== place) return leg.close();
    this.#leg = leg;
    audio.setMuted(this.#isMuted);
    audio.connect(leg);
  }

  async #setMuted(isMuted: boolean): Promise<void> {
    this.#isMuted = isMuted;
    this.#audio?.setMuted(isMuted);
    await this.#place?.place.setMuted(isMuted);
  }

  /** @param isExit whether the call ends, and with it a conference that its exit ends */
  #leaveConference(isExit: boolean): void {
    const taken = this.#place;
    this.#place = undefined;
    this.#leg?.close();
    this.#leg = undefined;
    this.#audio?.connect(undefined);
    taken?.place.leave(isExit && taken.endOnExit);
  }

  #sendDigits(digits: string): void {
    if (this.peer.audio?.dtmf !== undefined) return this.#audio?.sendDigits(digits);
    // A phone without telephone events.
    void this.#sendDigitsByInfo(digits).catch((error: unknown) => this.#deps.onError(error, this.call.facts.callId));
  }

  async #sendDigitsByInfo(digits: string): Promise<void> {
    for (const digit of digits) {
      if (this.signal.aborted) return;
      if (digit !== 'p') await this.#handle?.sendDtmfInfo(digit, INFO_DIGIT_MS);
      await this.#deps.pause(digit === 'p' ? PAUSE_MS : INFO_DIGIT_MS + INFO_GAP_MS, this.signal);
    }
  }

  #receiveDigit(digit: string | undefined, path: DigitPath): void {
    // A to D exist in DTMF, not on telephones.
    if (digit === undefined || !/^[0-9*#]$/.test(digit) || !this.#digitMerger.accept(digit, path)) return;
    this.#digits.push(digit);
    for (const listener of this.#keyListeners) listener();
  }

  #nextDigit(stop: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#digits.length > 0) return resolve();
      const finish = (settle: () => void): void => {
        this.#keyListeners.delete(onKey);
        stop.removeEventListener('abort', onAbort);
        settle();
      };
      const onKey = (): void => finish(resolve);
      const onAbort = (): void => finish(() => reject(new Error('The wait for a key was stopped.')));
      if (stop.aborted) return onAbort();
      this.#keyListeners.add(onKey);
      stop.addEventListener('abort', onAbort, { once: true });
    });
  }
}

/** Whether an event belongs to a call. A line that has missed another call reports that too. */
export const isOfCall = (event: CoreEvent | SipEvent, sipCallId: string | undefined): boolean =>
  !('callId' in event) || event.callId === undefined || event.callId === sipCallId;

const BY_CODE: Readonly<Record<number, CallEnd['cause']>> = {
  404: 'unroutable',
  408: 'unanswered',
  480: 'unanswered',
  484: 'unroutable',
  486: 'busy',
  487: 'cancelled',
  600: 'busy',
  603: 'rejected',
  604: 'unroutable',
};

/** What Janus reports when nothing has answered: kamailio or the phone did not, or cannot be reached. */
const NO_ANSWER_CODES = new Set([408, 503]);

/**
 * Whether our BYE or CANCEL got no answer, e.g. because kamailio restarts. The line is free then, but
 * the phone may still have its call.
 */
const isEndLost = (event: CoreEvent | SipEvent, { phase, isEndRequested }: Call): boolean =>
  event.type === 'hangup' &&
  (phase === 'answered' ? event.code >= 300 : isEndRequested && NO_ANSWER_CODES.has(event.code));

/** Returns the end that an event of the line states; undefined for other events. */
function readEnd(event: CoreEvent | SipEvent, phase: Call['phase']): CallEnd | undefined {
  if (event.type !== 'hangup' || event.callId === undefined) return undefined;
  if (phase === 'answered') return { cause: 'hung-up' };
  return { cause: BY_CODE[event.code] ?? 'failed', sipCode: event.code };
}
