/** One frame of every codec, clock and buffer of the gateway. */
export const FRAME_MS = 20;

/** Encodes and decodes the voice of one call, in both directions. Not for two calls: codecs have state. */
export interface VoiceCodec {
  /** The encoding name of RFC 3551 and RFC 7587, as in `a=rtpmap`. */
  readonly name: 'PCMU' | 'PCMA' | 'G722' | 'opus';
  /** RTP timestamp units per second. RFC 3551 sets 8000 for G.722, and RFC 7587 sets 48000 for Opus. */
  readonly payloadClockRate: 8_000 | 48_000;
  /** Samples per second of the PCM on our side. */
  readonly sampleRate: 8_000 | 16_000;
  /**
   * Encodes one frame of 20 ms, `sampleRate / 50` samples of 16 bits mono.
   * @throws RangeError for any other length
   */
  encode(pcm: Int16Array): Buffer;
  /** Decodes one payload of any duration. Returns null for a damaged or empty payload, never throws. */
  decode(payload: Uint8Array): Int16Array | null;
  /** Releases what the codec holds. Afterwards it must not encode. */
  close(): void;
}

/** @throws RangeError unless `pcm` is one frame */
export function assertFrame(pcm: Int16Array, sampleRate: number): void {
  if (pcm.length * 1_000 !== sampleRate * FRAME_MS)
    throw new RangeError(`A frame of ${FRAME_MS} ms has ${(sampleRate * FRAME_MS) / 1_000} samples, not ${pcm.length}`);
}
