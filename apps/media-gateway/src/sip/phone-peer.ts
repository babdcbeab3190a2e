import type { Jsep } from '@partyline/janus/transport/core-event';
import { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters, type RTCRtpSender } from 'werift';
import { RtpStream, type RtpPacket } from '../audio/rtp.ts';
import {
  addStaticRtpmaps,
  CLOCK_RATES,
  negotiateAudio,
  type NegotiatedAudio,
  type VoiceCodecName,
} from './negotiate-codec.ts';

/** What arrives from the phone. */
export interface PhonePeerEvents {
  /** One packet of audio. */
  onAudio(payload: Buffer, timestamp: number, ssrc: number): void;
  /** One packet of a telephone event (RFC 4733). */
  onTelephoneEvent(packet: RtpPacket): void;
  /** The media connection to Janus is up. */
  onConnected(): void;
}

/** Random 32-bit number for the start of an RTP stream. */
type RandomUint32 = () => number;

const rtpCodec = (mimeType: string, clockRate: number, payloadType: number, channels = 1): RTCRtpCodecParameters =>
  new RTCRtpCodecParameters({ mimeType, clockRate, channels, payloadType });

/** Payload types of our own offers. */
const OFFERED: readonly NegotiatedAudio[] = [
  { codec: 'PCMU', payloadType: 0, dtmfPayloadType: 101 },
  { codec: 'PCMA', payloadType: 8, dtmfPayloadType: 101 },
];

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
  async answer(offer: Jsep, supported: readonly VoiceCodecName[]): Promise<Jsep | undefined> {
    const audio = negotiateAudio(offer.sdp, supported);
    if (audio === undefined) return undefined;
    this.#open([audio]);
    this.#use(audio);
    const pc = this.#pc!;
    await pc.setRemoteDescription({ type: 'offer', sdp: addStaticRtpmaps(offer.sdp) });
    await pc.setLocalDescription(await pc.createAnswer());
    return { type: 'answer', sdp: pc.localDescription!.sdp };
  }

  /** Creates an offer, for an outbound call and for an INVITE without SDP. */
  async offer(): Promise<Jsep> {
    this.#open(OFFERED);
    const pc = this.#pc!;
    await pc.setLocalDescription(await pc.createOffer());
    return { type: 'offer', sdp: pc.localDescription!.sdp };
  }

  /** Takes the answer to our offer. @returns false when it has no supported codec */
  async acceptAnswer(answer: Jsep): Promise<boolean> {
    const audio = negotiateAudio(
      answer.sdp,
      OFFERED.map(({ codec }) => codec),
    );
    if (audio === undefined || this.#pc === undefined) return false;
    this.#use(audio);
    await this.#pc.setRemoteDescription({ type: 'answer', sdp: addStaticRtpmaps(answer.sdp) });
    return true;
  }

  /** Sends 20 ms of audio. */
  sendAudio(payload: Buffer): void {
    if (this.#stream === undefined || this.#audio === undefined) return;
    this.#track?.writeRtp(this.#stream.packet(payload));
    this.#stream.advance(CLOCK_RATES[this.#audio.codec] / 50);
  }

  /**
   * Begins a digit: returns the function that sends its packets, in place of 20 ms of audio each.
   * @returns undefined when the phone takes no telephone events
   */
  startDigit(): ((packet: { readonly marker: boolean; readonly payload: Buffer }) => void) | undefined {
    const [stream, audio] = [this.#stream, this.#audio];
    if (stream === undefined || audio?.dtmfPayloadType === undefined) return undefined;
    const { timestamp } = stream;
    const payloadType = audio.dtmfPayloadType;
    return ({ marker, payload }) => {
      const packet = stream.packet(payload, { marker, timestamp, payloadType });
      // Past the sender of the track, which gives every packet the payload type of the audio.
      if (this.#sender !== undefined) {
        packet.header.ssrc = this.#sender.ssrc;
        void this.#sender.dtlsTransport.sendRtp(packet.payload, packet.header).catch(() => undefined);
      }
      stream.advance(CLOCK_RATES[audio.codec] / 50);
    };
  }

  close(): void {
    const pc = this.#pc;
    this.#pc = undefined;
    this.#track = undefined;
    this.#sender = undefined;
    void pc?.close().catch(() => undefined);
  }

  #open(audio: readonly NegotiatedAudio[]): void {
    const [first] = audio;
    const dtmfType = first?.dtmfPayloadType;
    const codecs = audio.map(({ codec, payloadType }) =>
      rtpCodec(`audio/${codec}`, CLOCK_RATES[codec], payloadType, codec === 'opus' ? 2 : 1),
    );
    if (dtmfType !== undefined) codecs.push(rtpCodec('audio/telephone-event', 8_000, dtmfType));
    const pc = new RTCPeerConnection({ iceServers: [], codecs: { audio: codecs, video: [] } });
    const track = new MediaStreamTrack({ kind: 'audio' });
    const { sender } = pc.addTransceiver(track, { direction: 'sendrecv' });
    pc.onTrack.subscribe((remote) =>
      remote.onReceiveRtp.subscribe((packet) => {
        const { payloadType, timestamp, ssrc } = packet.header;
        if (payloadType === this.#audio?.dtmfPayloadType) this.#events.onTelephoneEvent(packet);
        else if (payloadType === this.#audio?.payloadType) this.#events.onAudio(packet.payload, timestamp, ssrc);
      }),
    );
    pc.connectionStateChange.subscribe((state) => {
      if (state === 'connected') this.#events.onConnected();
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
