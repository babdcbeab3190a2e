import { assertFrame, type VoiceCodec } from './voice-codec.ts';

/** Tables of a companding law: 8-bit code to 16-bit sample, and 16-bit sample (as unsigned) to code. */
interface Law {
  readonly decoded: Int16Array;
  readonly encoded: Uint8Array;
}

/** ITU-T G.711, mu-law: inverted bits, 14 bits of resolution, bias 33 (132 in 16 bits). */
function muLawSample(code: number): number {
  const bits = ~code & 0xff;
  const magnitude = ((((bits & 0x0f) << 3) + 132) << ((bits >> 4) & 7)) - 132;
  return bits & 0x80 ? -magnitude : magnitude;
}

/** ITU-T G.711, A-law: even bits inverted, 13 bits of resolution, a set sign bit is positive. */
function aLawSample(code: number): number {
  const bits = code ^ 0x55;
  const segment = (bits >> 4) & 7;
  const step = ((bits & 0x0f) << 4) + 8;
  const magnitude = segment === 0 ? step : (step + 256) << (segment - 1);
  return bits & 0x80 ? magnitude : -magnitude;
}

/** Encodes each sample as the code whose value is nearest; the smaller magnitude wins a tie. */
function createLaw(sampleOf: (code: number) => number): Law {
  const decoded = Int16Array.from({ length: 256 }, (_, code) => sampleOf(code));
  // Mu-law has two zeros. Later entries win: -0 must not hide the code 0xFF, which means silence.
  const codes = [...decoded.keys()].toSorted((a, b) => (decoded[a] ?? 0) - (decoded[b] ?? 0) || a - b);
  const values = codes.map((code) => decoded[code] ?? 0);
  const encoded = new Uint8Array(65_536);
  let index = 0;
  for (let sample = -32_768; sample <= 32_767; sample++) {
    const isNearer = (next: number | undefined): boolean => {
      if (next === undefined) return false;
      const [current, candidate] = [Math.abs(sample - (values[index] ?? 0)), Math.abs(sample - next)];
      return candidate < current || (candidate === current && sample <= 0);
    };
    while (isNearer(values[index + 1])) index++;
    encoded[sample & 0xffff] = codes[index] ?? 0;
  }
  return { decoded, encoded };
}

const LAWS = { PCMU: createLaw(muLawSample), PCMA: createLaw(aLawSample) };

/** Decodes G.711 of any length. */
export function decodeG711(name: keyof typeof LAWS, payload: Uint8Array): Int16Array {
  const { decoded } = LAWS[name];
  const pcm = new Int16Array(payload.length);
  for (let i = 0; i < payload.length; i++) pcm[i] = decoded[payload[i] ?? 0] ?? 0;
  return pcm;
}

/** Opens G.711 (RFC 3551): 8 kHz, 64 kbit/s, mu-law or A-law. Every payload but the empty one is valid. */
export function openG711(name: keyof typeof LAWS): VoiceCodec {
  const { encoded } = LAWS[name];
  return {
    name,
    payloadClockRate: 8_000,
    sampleRate: 8_000,
    encode(pcm) {
      assertFrame(pcm, 8_000);
      const payload = Buffer.allocUnsafe(pcm.length);
      for (let i = 0; i < pcm.length; i++) payload[i] = encoded[(pcm[i] ?? 0) & 0xffff] ?? 0;
      return payload;
    },
    decode: (payload) => (payload.length === 0 ? null : decodeG711(name, payload)),
    close: () => undefined,
  };
}
