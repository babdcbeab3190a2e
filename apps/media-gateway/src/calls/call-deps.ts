import type { Clock } from '@partyline/domain/clock';
import type { DigitsWebhook } from '@partyline/provider-janus/wire';
import type { OpusCodecs } from '../audio/codecs/opus.ts';
import type { FrameClock } from '../audio/frame-clock.ts';
import type { VoiceCodec } from '../audio/codecs/voice-codec.ts';
import type { Place, PlaceEvents, PlaceRequest } from '../conferences/place.ts';
import type { VoiceCodecName } from '../sip/negotiate-codec.ts';
import type { Call } from './call.ts';

/** What calls need of the gateway. */
export interface CallDeps {
  /** Takes a place in a conference, at this gateway or at another one. Rejects when it gets none. */
  readonly takePlace: (request: PlaceRequest, events: PlaceEvents) => Promise<Place>;
  readonly opus: OpusCodecs;
  readonly openCodec: (name: VoiceCodecName) => VoiceCodec;
  readonly frames: Pick<FrameClock, 'add'>;
  readonly clock: Clock;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** Returns a spoken text. Never rejects: without speech it is a tone. */
  readonly speak: (text: string, language: string, sampleRate: number) => Promise<Int16Array>;
  readonly holdMusic: (sampleRate: number) => Int16Array;
  /** Resolves after the time, or when `stop` aborts. */
  readonly pause: (ms: number, stop: AbortSignal) => Promise<void>;
  readonly requestPlan: (account: string, url: string, body: DigitsWebhook) => Promise<unknown>;
  readonly onJoined: (call: Call, eventUrl: string) => void;
  readonly onProblem: (call: Call, reason: string) => void;
  readonly onError: (error: unknown, callId: string) => void;
  /**
   * Ends a call whose line is lost; resolves when the phone's side is over.
   * @param seenAtMs when kamailio had it for the last time (`nowMs`)
   */
  readonly endLost: (callId: string, seenAtMs: number) => Promise<void>;
  /** Lets kamailio end a call after so many seconds, whatever happens to the gateway. */
  readonly setDeadline: (sipCallId: string, seconds: number) => Promise<void>;
  /** Random 32-bit number. */
  readonly random: () => number;
  /** The address of this host that every Janus reaches. */
  readonly localIp: string;
  /** A call without audio for this time is hung up. */
  readonly mediaTimeoutMs: number;
}
