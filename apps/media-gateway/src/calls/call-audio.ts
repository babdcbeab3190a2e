import type { OpusCodecs } from '../audio/codecs/opus.ts';
import { FRAME_MS, type VoiceCodec } from '../audio/codecs/voice-codec.ts';
import { planDigit, type DtmfPacket } from '../audio/dtmf.ts';
import { PlayoutBuffer } from '../audio/playout-buffer.ts';
import type { PhonePeer, SentDigit } from '../sip/phone-peer.ts';

/** The phone's side: `PhonePeer`. */
type PhonePort = Pick<PhonePeer, 'sendAudio' | 'startDigit'>;

/** The conference's side: takes 20 ms of Opus. */
interface ConferencePort {
  send(payload: Buffer): void;
}

/** A spoken text in progress. */
interface Speech {
  readonly pcm: Int16Array;
  position: number;
  readonly finish: () => void;
}

/** What `sendDigits` still has to send: a digit, or 20 ms of it, a packet or silence. */
type Tone = { readonly digit: string } | { readonly packet: DtmfPacket } | 'silence';

/** Half a second for `p`, and the gap after each digit. */
const PAUSE_FRAMES = 25;
const GAP_FRAMES = 5;

/** The mix of the conference comes every 20 ms. After this many frames without it, the phone gets silence. */
const MISSING_FRAMES = 3;
/** A stall counts as silence for one second at most: what the phone sent meanwhile is read after it. */
const MAX_STALL_FRAMES = 50;
/** So many frames of the mix may come at once. After a stall the older ones are skipped: a phone would play them all. */
const MAX_MIX_BURST_FRAMES = 25;

/**
 * The audio of one call. To the phone: a spoken text, or else the conference's mix, or else hold
 * music, or else silence, in every 20 ms. To the conference: what the phone sends, in frames of
 * 20 ms, without its jitter. Without timers: `tick` runs on the clock of all calls.
 */
export class CallAudio {
  readonly #codec: VoiceCodec;
  readonly #opus: VoiceCodec;
  readonly #playout: PlayoutBuffer;
  readonly #phone: PhonePort;
  #conference: ConferencePort | undefined;
  #speech: Speech | undefined;
  #music: { readonly pcm: Int16Array; position: number } | undefined;
  #framesWithoutMix = 0;
  /** Frames of the mix that the phone may get before the next tick. */
  #mixCredit = MAX_MIX_BURST_FRAMES;
  #framesWithoutPhone = 0;
  /** The last tick. */
  #frame: number | undefined;
  #isMuted = false;
  #isHeld = false;
  #tones: Tone[] = [];
  #sentDigit: SentDigit | undefined;

  /** @param codec the phone's codec. The conference's Opus has the same sample rate, and resamples. */
  constructor(codec: VoiceCodec, opus: OpusCodecs, phone: PhonePort) {
    this.#codec = codec;
    this.#opus = opus.open(codec.sampleRate === 8_000 ? 8_000 : 16_000);
    this.#playout = new PlayoutBuffer({ sampleRate: codec.sampleRate, clockRate: codec.payloadClockRate });
    this.#phone = phone;
  }

  get sampleRate(): number {
    return this.#codec.sampleRate;
  }

  /** For how long no packet has arrived from the phone, in milliseconds; 0 while it holds the call. */
  get silentMs(): number {
    return this.#framesWithoutPhone * FRAME_MS;
  }

  /** Notes that the phone is there, by a packet of any kind. */
  noticePhone(): void {
    this.#framesWithoutPhone = 0;
  }

  /** Takes a packet of audio of the phone. */
  receiveFromPhone(payload: Buffer, timestamp: number, ssrc: number): void {
    const pcm = this.#codec.decode(payload);
    if (pcm !== null) this.#playout.push(timestamp, pcm, ssrc);
  }

  /** Takes a packet of the conference's mix, and passes it on at once, unless the phone hears a text. */
  receiveFromConference(payload: Buffer): void {
    this.#framesWithoutMix = 0;
    if (this.#conference === undefined || this.#isHeld || this.#speech !== undefined || this.#tones.length > 0) return;
    const pcm = this.#opus.decode(payload);
    if (pcm === null) return;
    const frame = this.sampleRate / (1_000 / FRAME_MS);
    for (let start = 0; start + frame <= pcm.length && this.#mixCredit > 0; start += frame) {
      this.#mixCredit -= 1;
      this.#phone.sendAudio(this.#codec.encode(pcm.subarray(start, start + frame)));
    }
  }

  /** Connects the call to the conference, or disconnects it. */
  connect(conference: ConferencePort | undefined): void {
    this.#conference = conference;
    this.#framesWithoutMix = MISSING_FRAMES;
  }

  /** The others do not hear the phone while it is muted. */
  setMuted(isMuted: boolean): void {
    this.#isMuted = isMuted;
  }

  /**
   * While the phone holds the call, it hears nothing and need not send anything. The others do not
   * hear what it sends, which is its hold music.
   */
  setHeld(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#framesWithoutPhone = 0;
  }

  /** Plays music in a loop until it is set to undefined. */
  setMusic(pcm: Int16Array | undefined): void {
    this.#music = pcm === undefined || pcm.length === 0 ? undefined : { pcm, position: 0 };
  }

  /** Speaks; resolves at the end of the text, or when `stop` aborts. A new text ends the one in progress. */
  speak(pcm: Int16Array, stop: AbortSignal): Promise<void> {
    this.#speech?.finish();
    return new Promise((resolve) => {
      if (stop.aborted || pcm.length === 0) return resolve();
      const finish = (): void => {
        if (this.#speech === speech) this.#speech = undefined;
        stop.removeEventListener('abort', finish);
        resolve();
      };
      const speech: Speech = { pcm, position: 0, finish };
      this.#speech = speech;
      stop.addEventListener('abort', finish, { once: true });
    });
  }

  /** Sends DTMF to the phone: 0-9 * #, and `p` for a pause of half a second. */
  sendDigits(digits: string): void {
    for (const digit of digits) {
      if (digit === 'p') this.#tones.push(...Array<Tone>(PAUSE_FRAMES).fill('silence'));
      else this.#tones.push({ digit });
    }
  }

  /** One frame in each direction. @param frame its number, which counts skipped frames too */
  tick(frame: number): void {
    const passed = Math.min(frame - (this.#frame ?? frame - 1), MAX_STALL_FRAMES);
    this.#frame = frame;
    this.#mixCredit = Math.min(this.#mixCredit + 1, MAX_MIX_BURST_FRAMES);
    if (!this.#isHeld) this.#framesWithoutPhone += passed;
    const fromPhone = this.#playout.pull();
    const isHeard = !this.#isMuted && !this.#isHeld;
    this.#conference?.send(this.#opus.encode(isHeard ? fromPhone : new Int16Array(fromPhone.length)));
    if (this.#isHeld) return;
    if (this.#tones.length > 0) return this.#tickTone(fromPhone.length);
    const toPhone = this.#nextFrame(fromPhone.length);
    if (toPhone !== undefined) this.#phone.sendAudio(this.#codec.encode(toPhone));
  }

  close(): void {
    this.#speech?.finish();
    this.#codec.close();
    this.#opus.close();
    this.#conference = undefined;
  }

  #tickTone(length: number): void {
    let tone = this.#tones.shift();
    if (typeof tone === 'object' && 'digit' in tone) {
      const sent = this.#phone.startDigit();
      this.#sentDigit = sent;
      const packets = sent === undefined ? [] : planDigit(tone.digit, { clockRate: sent.clockRate });
      this.#tones.unshift(...packets.map((packet) => ({ packet })), ...Array<Tone>(GAP_FRAMES).fill('silence'));
      tone = this.#tones.shift();
    }
    if (typeof tone === 'object' && 'packet' in tone) this.#sentDigit?.send(tone.packet);
    else this.#phone.sendAudio(this.#codec.encode(new Int16Array(length)));
  }

  /** Returns what the phone hears in this tick; undefined while the conference's mix arrives. */
  #nextFrame(length: number): Int16Array | undefined {
    const speech = this.#speech;
    if (speech !== undefined) {
      const frame = new Int16Array(length);
      frame.set(speech.pcm.subarray(speech.position, speech.position + length));
      speech.position += length;
      if (speech.position >= speech.pcm.length) speech.finish();
      return frame;
    }
    if (this.#music !== undefined) {
      const { pcm, position } = this.#music;
      this.#music.position = (position + length) % pcm.length;
      return Int16Array.from({ length }, (_, i) => pcm[(position + i) % pcm.length] ?? 0);
    }
    if (this.#conference !== undefined && (this.#framesWithoutMix += 1) <= MISSING_FRAMES) return undefined;
    return new Int16Array(length);
  }
}
