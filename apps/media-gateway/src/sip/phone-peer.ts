import type { Jsep } from '@partyline/janus/transport/core-event';
import { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters, type RTCRtpSender } from 'werift';
import { RtpStream, type RtpPacket } from '../audio/rtp.ts';
import {
  addStaticRtpmaps,
  CLOCK_RATES,
  negotiateAudio,
  VOICE_CODECS,
  type NegotiatedAudio,
  type VoiceCodecName,
} from './negotiate-codec.ts';

/** What arrives from the phone. */
export interface PhonePeerEvents {
  /** The media connection to Janus is up. Packets that were sent before are lost. */
  onConnected(): void;
  /** It is lost for good. Neither side hears the other any more. */
  onFailed(): void;
  /** A packet of any kind: the phone is there. */
  onPacket(): void;
  /** One packet of audio. */
  onAudio(payload: Buffer, timestamp: number, ssrc: number): void;
  /** One packet of a telephone event (RFC 4733). */
  onTelephoneEvent(packet: RtpPacket): void;
}

/** Random 32-bit number for the start of an RTP stream. */
type RandomUint32 = () => number;

const rtpCodec = (mimeType: string, clockRate: number, payloadType: number, channels = 1): RTCRtpCodecParameters =>
  new RTCRtpCodecParameters({ mimeType, clockRate, channels, payloadType });

/** Payload types of our own offers. */
const OFFERED_TYPES: Readonly<Record<VoiceCodecName, number>> = { opus: 96, G722: 9, PCMU: 0, PCMA: 8 };
/** Most phones know telephone events at 8 kHz only, also with a codec of another rate. */
const OFFERED_DTMF = { payloadType: 101, clockRate: 8_000 };

/** One digit that is being sent: takes its packets (`planDigit`), one for each 20 ms. */
export interface SentDigit {
  readonly clockRate: number;
  send(packet: { readonly marker: boolean; readonly payload: Buffer }): void;
}

/**
 * The WebRTC side of one call at Janus' SIP plugin: audio in the phone's own codec, and telephone
 * events. Janus passes RTP on unchanged.
 */
export class PhonePeer {
  readonly #events: PhonePeerEvents;
  readonly #random: RandomUint32;
  #pc: RTCPeerConnection | undefined;
  #track: MediaStreamTrack | undefined;
  #sender: RTCRtpSender | undefined;
  #audio: NegotiatedAudio | undefined;
  #stream: RtpStream | undefined;
  #isWatched = false;

  constructor(events: PhonePeerEvents, random: RandomUint32) {
    this.#events = events;
    this.#random = random;
  }

  /** The negotiated codec; undefined before the answer. */
  get audio(): NegotiatedAudio | undefined {
    return this.#audio;
  }

  /**
   * Answers an offer of Janus.
   * @returns undefined when it has no supported codec
   */
  async answer(offer: Jsep): Promise<Jsep | undefined> {
    const audio = negotiateAudio(offer.sdp, VOICE_CODECS);
    if (audio === undefined) return undefined;
    this.#open([audio], audio.dtmf);
    this.#use(audio);
    return this.#createAnswer(offer);
  }

  /**
   * Answers a further offer of the same call.
   * @returns undefined when it does not have the codec of the call
   */
  async answerAgain(offer: Jsep): Promise<Jsep | undefined> {
    const [current, offered] = [this.#audio, negotiateAudio(offer.sdp, this.#audio ? [this.#audio.codec] : [])];
    if (current === undefined || offered?.payloadType !== current.payloadType) return undefined;
    return this.#createAnswer(offer);
  }

  /** Creates an offer, for an outbound call and for an INVITE without SDP. */
  async offer(): Promise<Jsep> {
    this.#open(
      VOICE_CODECS.map((codec) => ({ codec, payloadType: OFFERED_TYPES[codec] })),
      OFFERED_DTMF,
    );
    const pc = this.#pc!;
    await pc.setLocalDescription(await pc.createOffer());
    // As the client of DTLS, werift is connected a second earlier.
    return { type: 'offer', sdp: pc.localDescription!.sdp.replaceAll('a=setup:actpass', 'a=setup:active') };
  }

  /** Offers the current session again, for a re-INVITE without SDP. */
  async offerAgain(): Promise<Jsep | undefined> {
    const pc = this.#pc;
    if (pc === undefined) return undefined;
    await pc.setLocalDescription(await pc.createOffer());
    return { type: 'offer', sdp: pc.localDescription!.sdp };
  }

  /** Takes the answer to our offer; a second one is ignored. @returns false when it has no supported codec */
  async acceptAnswer(answer: Jsep): Promise<boolean> {
    if (this.#pc === undefined) return false;
    if (this.#audio !== undefined) return true;
    const audio = negotiateAudio(answer.sdp, VOICE_CODECS);
    if (audio === undefined) return false;
    this.#use(audio);
    await this.#pc.setRemoteDescription({ type: 'answer', sdp: addStaticRtpmaps(answer.sdp) });
    this.#watchPackets();
    return true;
  }

  /** Sends 20 ms of audio. */
  sendAudio(payload: Buffer): void {
    if (this.#stream === undefined || this.#audio === undefined) return;
    this.#track?.writeRtp(this.#stream.packet(payload));
    this.#stream.advance(CLOCK_RATES[this.#audio.codec] / 50);
  }

  /**
   * Begins a digit, whose packets stand in place of 20 ms of audio each.
   * @returns undefined when the phone takes no telephone events
   */
  startDigit(): SentDigit | undefined {
    const [stream, audio] = [this.#stream, this.#audio];
    if (stream === undefined || audio?.dtmf === undefined) return undefined;
    const { timestamp } = stream;
    const { payloadType, clockRate } = audio.dtmf;
    return {
      clockRate,
      send: ({ marker, payload }) => {
        const packet = stream.packet(payload, { marker, timestamp, payloadType });
        // Past the sender of the track, which gives every packet the payload type of the audio.
        if (this.#sender !== undefined) {
          packet.header.ssrc = this.#sender.ssrc;
          void this.#sender.dtlsTransport.sendRtp(packet.payload, packet.header).catch(() => undefined);
        }
        stream.advance(CLOCK_RATES[audio.codec] / 50);
      },
    };
  }

  close(): void {
    const pc = this.#pc;
    this.#pc = undefined;
    this.#track = undefined;
    this.#sender = undefined;
    void pc?.close().catch(() => undefined);
  }

  async #createAnswer(offer: Jsep): Promise<Jsep | undefined> {
    const pc = this.#pc;
    if (pc === undefined) return undefined;
    await pc.setRemoteDescription({ type: 'offer', sdp: addStaticRtpmaps(offer.sdp) });
    await pc.setLocalDescription(await pc.createAnswer());
    this.#watchPackets();
    return { type: 'answer', sdp: pc.localDescription!.sdp };
  }

  /** Reports packets of any payload type. A track has only those of the types that were negotiated. */
  #watchPackets(): void {
    if (this.#isWatched || this.#sender === undefined) return;
    this.#isWatched = true;
    this.#sender.dtlsTransport.onRtp.subscribe(() => this.#events.onPacket());
  }

  #open(audio: readonly Pick<NegotiatedAudio, 'codec' | 'payloadType'>[], dtmf: NegotiatedAudio['dtmf']): void {
    const codecs = audio.map(({ codec, payloadType }) =>
      rtpCodec(`audio/${codec}`, CLOCK_RATES[codec], payloadType, codec === 'opus' ? 2 : 1),
    );
    if (dtmf !== undefined) codecs.push(rtpCodec('audio/telephone-event', dtmf.clockRate, dtmf.payloadType));
    const pc = new RTCPeerConnection({
      iceServers: [],
      // Like the sound of conferences. A link-local address whose interface is removed would end this process.
      iceUseIpv6: false,
      codecs: { audio: codecs, video: [] },
    });
    const track = new MediaStreamTrack({ kind: 'audio' });
    const { sender } = pc.addTransceiver(track, { direction: 'sendrecv' });
    pc.onTrack.subscribe((remote) =>
      remote.onReceiveRtp.subscribe((packet) => {
        const { payloadType, timestamp, ssrc } = packet.header;
        if (payloadType === this.#audio?.dtmf?.payloadType) this.#events.onTelephoneEvent(packet);
        else if (payloadType === this.#audio?.payloadType) this.#events.onAudio(packet.payload, timestamp, ssrc);
      }),
    );
    pc.connectionStateChange.subscribe((state) => {
      if (state === 'connected') this.#events.onConnected();
      // Also after this process stood still for half a minute.
      if (state === 'failed') this.#events.onFailed();
    });
    this.#pc = pc;
    this.#track = track;
    this.#sender = sender;
  }

  #use(audio: NegotiatedAudio): void {
    this.#audio = audio;
    this.#stream = new RtpStream({
      ssrc: this.#random(),
      sequenceNumber: this.#random(),
      timestamp: this.#random(),
      payloadType: audio.payloadType,
    });
  }
}
