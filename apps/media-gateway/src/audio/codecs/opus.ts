import { Decoder, Encoder } from '@evan/opus';
import { assertFrame, type VoiceCodec } from './voice-codec.ts';

/** RFC 7587: the RTP clock of Opus is 48 kHz at every sample rate. */
const OPUS_CLOCK_RATE = 48_000;
/** RFC 6716: the longest packet. */
const MAX_PACKET_MS = 120;
/** Bytes of the longest packet, RFC 6716 section 3.4: 48 frames of 1275 bytes, and its table of contents. */
const MAX_PACKET_BYTES = 61_298;

export interface OpusSettings {
  /** Bits per second. */
  readonly bitrate: number;
  /** 0 (cheapest) to 10. */
  readonly complexity: number;
  /** Percent of packets that the network may lose. Above 0, packets carry redundancy for the one before. */
  readonly expectedLossPercent: number;
}

/**
 * The gateway and the AudioBridge are neighbours: bits cost nothing and no packet is lost. At 8 kHz
 * complexity 9, the library's default, costs a fifth more than 5 and sounds the same.
 */
const DEFAULTS: OpusSettings = { bitrate: 32_000, complexity: 5, expectedLossPercent: 0 };

interface Pair {
  readonly encoder: Encoder;
  readonly decoder: Decoder;
}

/**
 * The Opus codecs of one process. Closed codecs are reset and used again: their memory lies outside
 * the JavaScript heap, and the collector frees it late because it sees two small objects.
 */
export class OpusCodecs {
  readonly #settings: OpusSettings;
  readonly #maxIdle: number;
  readonly #idle = { 8_000: [] as Pair[], 16_000: [] as Pair[] };

  /** @param maxIdle closed codecs to keep for each sample rate, about 75 kB each */
  constructor({ maxIdle = 100, ...settings }: Partial<OpusSettings> & { maxIdle?: number } = {}) {
    this.#settings = { ...DEFAULTS, ...settings };
    this.#maxIdle = maxIdle;
  }

  /**
   * Opens Opus (RFC 7587), mono.
   * @param sampleRate of the PCM; Opus resamples to and from the rate of the other side by itself
   */
  open(sampleRate: 8_000 | 16_000): VoiceCodec {
    const idle = this.#idle[sampleRate];
    let pair: Pair | undefined = idle.pop() ?? this.#create(sampleRate);
    return {
      name: 'opus',
      payloadClockRate: OPUS_CLOCK_RATE,
      sampleRate,
      encode(pcm) {
        assertFrame(pcm, sampleRate);
        if (!pair) throw new Error('The Opus codec is closed');
        return asBuffer(pair.encoder.encode(pcm));
      },
      decode(payload) {
        // Packets may arrive after the call: a closed codec decodes nothing.
        if (!pair) return null;
        // libopus checks a packet before it decodes any of it, so a damaged one leaves no trace.
        if (payload.length === 0 || payload.length > MAX_PACKET_BYTES) return null;
        try {
          return asSamples(pair.decoder.decode(payload), (sampleRate * MAX_PACKET_MS) / 1_000);
        } catch {
          return null;
        }
      },
      close: () => {
        if (pair && idle.length < this.#maxIdle) {
          pair.encoder.reset();
          pair.decoder.reset();
          idle.push(pair);
        }
        pair = undefined;
      },
    };
  }

  #create(sampleRate: 8_000 | 16_000): Pair {
    const encoder = new Encoder({ channels: 1, sample_rate: sampleRate, application: 'voip' });
    encoder.signal = 'voice';
    encoder.bitrate = this.#settings.bitrate;
    encoder.complexity = this.#settings.complexity as Encoder['complexity'];
    encoder.packet_loss = this.#settings.expectedLossPercent;
    encoder.inband_fec = this.#settings.expectedLossPercent > 0;
    return { encoder, decoder: new Decoder({ channels: 1, sample_rate: sampleRate }) };
  }
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function asSamples(bytes: Uint8Array, maxSamples: number): Int16Array | null {
  const samples = bytes.byteLength / Int16Array.BYTES_PER_ELEMENT;
  if (!Number.isInteger(samples) || samples === 0 || samples > maxSamples) return null;
  if (bytes.byteOffset % Int16Array.BYTES_PER_ELEMENT === 0)
    return new Int16Array(bytes.buffer, bytes.byteOffset, samples);
  return new Int16Array(bytes.slice().buffer);
}
