import { tone } from '@partyline/testing/tones';
import type { Pcm } from './wav.ts';

/** What a caller sends, one part after the other. Silence is sent as packets too. */
export type SoundPart =
  | { readonly silenceMs: number }
  | { readonly hz: number; readonly ms: number; readonly dbfs?: number }
  /** Packets of comfort noise (RFC 3389), which a receiver may ignore. */
  | { readonly comfortNoiseMs: number }
  /** Keys as telephone-events of RFC 4733: `0` to `9`, `*`, `#`, `A` to `D`. */
  | { readonly keys: string; readonly keyMs?: number; readonly gapMs?: number }
  /** Sound at 8000 Hz. */
  | { readonly pcm: Pcm };

export interface RtpOptions {
  readonly codec?: 'PCMU' | 'PCMA';
  readonly ptimeMs?: number;
  /** The payload type of telephone-events. */
  readonly eventType?: number;
  readonly ssrc?: number;
  /** Whether a packet, by its index, is not sent. */
  readonly isLost?: (index: number) => boolean;
  /** How much later a packet, by its index, is sent. */
  readonly delayMs?: (index: number) => number;
}

export interface RtpPacket {
  /** When it is sent, in ms from the start. */
  readonly atMs: number;
  readonly bytes: Buffer;
}

export const DEFAULT_EVENT_TYPE = 101;
export const DEFAULT_PTIME_MS = 20;
export const PAYLOAD_TYPES = { PCMU: 0, PCMA: 8 } as const;
const RATE = 8000;
const DEFAULT_DBFS = -20;
const DEFAULT_KEY_MS = 100;
const DEFAULT_GAP_MS = 100;
const KEYS = '0123456789*#ABCD';
const EVENT_VOLUME = 10;
const END_PACKETS = 3;
const COMFORT_NOISE_TYPE = 13;
/** Its level: -60 dBov. */
const COMFORT_NOISE = Buffer.from([60]);

/** Returns one RTP stream with sound and keys, in the order of sending, and its length. */
export function renderRtp(
  parts: readonly SoundPart[],
  options: RtpOptions = {},
): { packets: RtpPacket[]; durationMs: number } {
  const { codec = 'PCMU', ptimeMs = DEFAULT_PTIME_MS, eventType = DEFAULT_EVENT_TYPE, ssrc = 0x50617274 } = options;
  const frame = (RATE * ptimeMs) / 1000;
  const encode = codec === 'PCMU' ? encodeUlaw : encodeAlaw;
  const packets: RtpPacket[] = [];
  let index = 0;

  const send = (type: number, timestamp: number, payload: Buffer, marker = false): void => {
    const header = Buffer.alloc(12);
    header[0] = 0x80;
    header[1] = type | (marker ? 0x80 : 0);
    header.writeUInt16BE(index % 0x10000, 2);
    header.writeUInt32BE(timestamp, 4);
    header.writeUInt32BE(ssrc, 8);
    packets.push({ atMs: index * ptimeMs, bytes: Buffer.concat([header, payload]) });
    index += 1;
  };
  const sendSound = (samples: Int16Array): void => {
    for (let at = 0; at < samples.length; at += frame) {
      const part = new Int16Array(frame);
      part.set(samples.subarray(at, at + frame));
      send(PAYLOAD_TYPES[codec], index * frame, Buffer.from(Array.from(part, encode)), index === 0);
    }
  };
  const sendKey = (key: string, keyMs: number): void => {
    const event = KEYS.indexOf(key);
    if (event < 0) throw new Error('Keys are 0 to 9, *, #, and A to D.');
    const timestamp = index * frame;
    const count = Math.max(1, Math.round(keyMs / ptimeMs));
    for (let packet = 1; packet <= count + END_PACKETS; packet += 1) {
      const isEnd = packet > count;
      const payload = Buffer.alloc(4);
      payload[0] = event;
      payload[1] = EVENT_VOLUME | (isEnd ? 0x80 : 0);
      payload.writeUInt16BE(Math.min(packet, count) * frame, 2);
      send(eventType, timestamp, payload, packet === 1);
    }
  };

  const sendComfortNoise = (ms: number): void => {
    for (let sent = 0; sent < ms; sent += ptimeMs) send(COMFORT_NOISE_TYPE, index * frame, COMFORT_NOISE);
  };

  for (const part of parts) {
    if ('silenceMs' in part) sendSound(new Int16Array((RATE * part.silenceMs) / 1000));
    else if ('hz' in part) sendSound(tone(part.hz, part.ms / 1000, RATE, part.dbfs ?? DEFAULT_DBFS));
    else if ('comfortNoiseMs' in part) sendComfortNoise(part.comfortNoiseMs);
    else if ('pcm' in part) {
      if (part.pcm.rate !== RATE) throw new Error(`G.711 needs sound at 8000 Hz, not at ${part.pcm.rate} Hz.`);
      sendSound(part.pcm.samples);
    } else {
      for (const key of part.keys) {
        sendKey(key, part.keyMs ?? DEFAULT_KEY_MS);
        sendSound(new Int16Array((RATE * (part.gapMs ?? DEFAULT_GAP_MS)) / 1000));
      }
    }
  }
  const { isLost = () => false, delayMs = () => 0 } = options;
  const sent = packets.flatMap((packet, at) => (isLost(at) ? [] : [{ ...packet, atMs: packet.atMs + delayMs(at) }]));
  return { packets: sent.toSorted((a, b) => a.atMs - b.atMs), durationMs: index * ptimeMs };
}

const MAX_ULAW = 32_635;
const ULAW_BIAS = 0x84;

/** G.711 µ-law of one 16-bit sample. */
function encodeUlaw(sample: number): number {
  const magnitude = Math.min(MAX_ULAW, Math.abs(sample)) + ULAW_BIAS;
  const exponent = 31 - Math.clz32(magnitude) - 7;
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return ~((sample < 0 ? 0x80 : 0) | (exponent << 4) | mantissa) & 0xff;
}

/** G.711 A-law of one 16-bit sample. */
function encodeAlaw(sample: number): number {
  const magnitude = sample < 0 ? -sample - 1 : sample;
  const exponent = Math.max(0, 31 - Math.clz32(magnitude) - 7);
  const mantissa = (magnitude >> Math.max(4, exponent + 3)) & 0x0f;
  return ((sample < 0 ? 0 : 0x80) | (exponent << 4) | mantissa) ^ 0x55;
}
