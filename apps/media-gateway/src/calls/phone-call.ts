import type { SipEvent } from '@partyline/janus/sip/sip-event';
import type { SipHandle } from '@partyline/janus/sip/sip-handle';
import type { CoreEvent } from '@partyline/janus/transport/core-event';
import type { CallStepMessage } from '@partyline/provider-janus/wire';
import type { VoiceCodec } from '../audio/codecs/voice-codec.ts';
import { DigitMerger, DtmfReceiver, type DigitPath } from '../audio/dtmf.ts';
import { ConferenceLeg } from '../conferences/conference-leg.ts';
import { PhonePeer } from '../sip/phone-peer.ts';
import { CallAudio } from './call-audio.ts';
import type { Call, CallEnd } from './call.ts';
import type { CallDeps } from './call-deps.ts';
import { runPlan, type PlanPort } from './run-plan.ts';

type JoinStep = Extract<CallStepMessage, { do: 'join' }>;

/**
 * A call with its line at Janus: its media, its plan, and its conference. `end` is the only way out;
 * it releases everything, once.
 */
export class PhoneCall {
  readonly call: Call;
  readonly peer: PhonePeer;
  readonly #deps: CallDeps;
  readonly #handle: SipHandle;
  readonly #over = new AbortController();
  readonly #digits: string[] = [];
  readonly #keyListeners = new Set<() => void>();
  #audio: CallAudio | undefined;
  #stopTicking: (() => void) | undefined;
  #leg: ConferenceLeg | undefined;
  #conference: { readonly name: string; readonly endOnExit: boolean } | undefined;
  #isMuted = false;

  constructor(deps: CallDeps, call: Call, handle: SipHandle) {
    this.#deps = deps;
    this.call = call;
    this.#handle = handle;
    const telephoneEvents = new DtmfReceiver();
    const merger = new DigitMerger({ now: deps.nowMs });
    const receiveDigit = (digit: string | undefined, path: DigitPath): void => {
      if (digit !== undefined && merger.accept(digit, path)) this.#press(digit);
    };
    this.peer = new PhonePeer(
      {
        onAudio: (payload, timestamp, ssrc) => this.#audio?.receiveFromPhone(payload, timestamp, ssrc),
        onTelephoneEvent: (packet) => receiveDigit(telephoneEvents.receive(packet), 'rtp'),
        onConnected: () => undefined,
      },
      deps.random,
    );
    const stop = handle.onEvent((event) => {
      if (event.type === 'dtmf-info') receiveDigit(event.digit, 'info');
      if (event.type === 'detached') return void this.#lose();
      const end = readEnd(event, this.call.phase);
      if (end === undefined) return;
      if (isByeLost(event, this.call.phase)) void this.#lose();
      else this.end(end);
    });
    this.signal.addEventListener('abort', stop, { once: true });
  }

  /** Aborts when the call is over. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** Starts the sound, in the codec that the peer has negotiated. */
  startAudio(): void {
    const codec: VoiceCodec | undefined = this.peer.audio && this.#deps.openCodec(this.peer.audio.codec);
    if (codec === undefined || this.signal.aborted) return;
    const audio = new CallAudio(codec, this.#deps.opus, this.peer);
    this.#audio = audio;
    this.#stopTicking = this.#deps.frames.add(() => {
      audio.tick();
      if (audio.silentMs > this.#deps.mediaTimeoutMs) this.hangUp({ cause: 'media-timeout' });
    });
  }

  /** Follows the reply to the answer webhook until the call is in its conference or over. */
  async follow(reply: unknown): Promise<void> {
    this.call.controls = {
      hangUp: async () => this.hangUp({ cause: 'hung-up' }),
      mute: (isMuted) => this.#setMuted(isMuted),
      sendDigits: (digits) => this.#audio?.sendDigits(digits),
      say: (text, language) => this.#speak(text, language, this.signal),
    };
    try {
      if ((await runPlan(this.#planPort(), reply)) === 'done') this.hangUp({ cause: 'hung-up' });
    } catch (error) {
      this.#deps.onError(error, this.call.facts.callId);
      this.hangUp({ cause: 'failed' });
    }
  }

  /** Requests the end at the phone. The call is over when the line says so. */
  hangUp(end: CallEnd): void {
    if (this.call.isOver) return;
    this.call.requestEnd(end);
    this.#handle.hangUp().catch((error: unknown) => {
      if (!this.call.isOver) this.#deps.onError(error, this.call.facts.callId);
    });
  }

  /** Ends the call, because its line has ended, and releases its resources. */
  end(end: CallEnd): void {
    if (this.call.end(end)) this.#release();
  }

  /** The line is gone without an end of the call: the phone may still be up. */
  async #lose(): Promise<void> {
    if (this.call.isOver) return;
    this.call.requestEnd({ cause: 'gateway-lost' });
    this.call.controls = undefined;
    this.#release();
    await this.#deps.endLost(this.call.facts.callId);
    this.call.end({ cause: 'gateway-lost' });
  }

  #release(): void {
    this.#over.abort();
    this.#stopTicking?.();
    this.peer.close();
    this.#leaveConference();
    this.#audio?.close();
    this.#audio = undefined;
  }

  #planPort(): PlanPort {
    return {
      callId: this.call.facts.callId,
      signal: this.signal,
      speak: (text, language, stop) => this.#speak(text, language, stop),
      takeDigits: () => this.#digits.splice(0).join(''),
      nextDigit: (stop) => this.#nextDigit(stop),
      pause: this.#deps.pause,
      requestPlan: (url, body) => this.#deps.requestPlan(this.call.facts.account, url, body),
      join: (step, holdMusicUrl) => this.#join(step, holdMusicUrl),
      onProblem: (reason) => this.#deps.onProblem(this.call, reason),
    };
  }

  async #speak(text: string, language: string, stop: AbortSignal): Promise<void> {
    const audio = this.#audio;
    if (audio === undefined) return;
    const pcm = await this.#deps.speak(text, language, audio.sampleRate);
    await audio.speak(pcm, AbortSignal.any([stop, this.signal]));
  }

  async #join(step: JoinStep, _holdMusicUrl: string | undefined): Promise<void> {
    const { callId } = this.call.facts;
    const audio = this.#audio;
    if (audio === undefined) return;
    this.#isMuted = step.muted ?? false;
    this.#conference = { name: step.conversation, endOnExit: step.endOnExit ?? false };
    const started = Promise.withResolvers<void>();
    await this.#deps.conferences().enter(
      step.conversation,
      {
        id: callId,
        onStarted: () => started.resolve(),
        onEnded: () => this.hangUp({ cause: 'hung-up' }),
      },
      step.startOnEnter ?? true,
    );
    if (this.signal.aborted) return this.#leaveConference();
    this.#deps.onJoined(this.call, step.eventUrl);
    audio.setMusic(this.#deps.holdMusic(audio.sampleRate));
    // The conference may start at once: the music is then not heard.
    void started.promise
      .then(() => this.#connect(step.conversation, audio))
      .catch((error: unknown) => {
        this.#deps.onError(error, callId);
        this.hangUp({ cause: 'failed' });
      });
  }

  /** Connects the sound of the call with the AudioBridge room. */
  async #connect(room: string, audio: CallAudio): Promise<void> {
    if (this.signal.aborted) return;
    audio.setMusic(undefined);
    const leg = await ConferenceLeg.join({
      connection: this.#deps.connection(),
      room,
      callId: this.call.facts.callId,
      localIp: this.#deps.localIp,
      isMuted: this.#isMuted,
      random: this.#deps.random,
      onAudio: (payload) => audio.receiveFromConference(payload),
      onRemoved: () => this.hangUp({ cause: 'hung-up' }),
    });
    if (this.signal.aborted) return leg.leave();
    this.#leg = leg;
    audio.setMuted(this.#isMuted);
    audio.connect(leg);
  }

  async #setMuted(isMuted: boolean): Promise<void> {
    this.#isMuted = isMuted;
    this.#audio?.setMuted(isMuted);
    await this.#leg?.setMuted(isMuted);
  }

  #leaveConference(): void {
    const conference = this.#conference;
    this.#conference = undefined;
    void this.#leg?.leave();
    this.#leg = undefined;
    if (conference !== undefined)
      this.#deps.conferences().leave(conference.name, this.call.facts.callId, conference.endOnExit);
  }

  #press(digit: string): void {
    // A to D exist in DTMF, not on telephones.
    if (!/^[0-9*#]$/.test(digit)) return;
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

/**
 * Whether our BYE got no answer, e.g. because kamailio restarts. The line is free then, but the
 * phone still has its call.
 */
const isByeLost = (event: CoreEvent | SipEvent, phase: Call['phase']): boolean =>
  phase === 'answered' && event.type === 'hangup' && event.code >= 300;

/** Returns the end that an event of the line states; undefined for other events. */
function readEnd(event: CoreEvent | SipEvent, phase: Call['phase']): CallEnd | undefined {
  if (event.type !== 'hangup' || event.callId === undefined) return undefined;
  if (phase === 'answered') return { cause: 'hung-up' };
  return { cause: BY_CODE[event.code] ?? 'failed', sipCode: event.code };
}
