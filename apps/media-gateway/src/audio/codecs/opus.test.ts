import { levelOf, rmsOf, snr, tone } from '@partyline/testing/tones';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OpusCodecs } from './opus.ts';
import type { VoiceCodec } from './voice-codec.ts';

const RATES = [8_000, 16_000] as const;

const encodeAll = (codec: VoiceCodec, pcm: Int16Array): Buffer[] => {
  const size = codec.sampleRate / 50;
  return Array.from({ length: pcm.length / size }, (_, i) => codec.encode(pcm.subarray(i * size, (i + 1) * size)));
};

const decodeAll = (codec: VoiceCodec, payloads: Buffer[]): Int16Array =>
  Int16Array.from(payloads.flatMap((payload) => [...(codec.decode(payload) ?? [])]));

describe.each(RATES)('Opus at %i Hz', (rate) => {
  it('keeps the level of a tone, 30 dB above its noise', () => {
    const codec = new OpusCodecs().open(rate);
    for (const hz of [440, 1_000, 2_500]) {
      const decoded = decodeAll(codec, encodeAll(codec, tone(hz, 2, rate, -18))).subarray(rate);
      expect(levelOf(decoded, hz, rate)).toBeCloseTo(-18, 0);
      expect(snr(decoded, hz, rate)).toBeGreaterThan(30);
    }
  });

  it('makes 20 ms of each 20 ms, and silence of silence', () => {
    const codec = new OpusCodecs().open(rate);
    const decoded = decodeAll(codec, encodeAll(codec, new Int16Array(rate)));
    expect(decoded).toHaveLength(rate);
    expect(rmsOf(decoded)).toBeLessThan(-80);
  });

  it('rejects a frame of another length', () => {
    const codec = new OpusCodecs().open(rate);
    for (const length of [0, 1, rate / 50 - 1, rate / 50 + 1, rate / 25])
      expect(() => codec.encode(new Int16Array(length))).toThrow(RangeError);
  });

  it('encodes a frame that is a view into a larger buffer', () => {
    const pcm = tone(440, 1, rate, -18);
    const [whole, views] = [new OpusCodecs().open(rate), new OpusCodecs().open(rate)];
    const copies = encodeAll(whole, pcm).map((_, i) => pcm.slice((i * rate) / 50, ((i + 1) * rate) / 50));
    expect(copies.map((copy) => views.encode(copy))).toEqual(encodeAll(new OpusCodecs().open(rate), pcm));
  });

  it('returns null or at most 120 ms for any payload, and still decodes the next good one', () => {
    const codec = new OpusCodecs().open(rate);
    const good = encodeAll(new OpusCodecs().open(rate), tone(440, 0.1, rate, -18));
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 1_500 }),
      // A damaged real packet is a better test of the decoder than random bytes, of which half are rejected at once.
      fc
        .record({ packet: fc.constantFrom(...good), at: fc.nat(200), value: fc.nat(255), length: fc.nat(200) })
        .map(({ packet, at, value, length }) => {
          const damaged = Uint8Array.from(packet).subarray(0, length);
          if (damaged.length > 0) damaged[at % damaged.length] = value;
          return damaged;
        }),
    );
    fc.assert(
      fc.property(payload, (bytes) => {
        const decoded = codec.decode(bytes);
        if (decoded) expect(decoded.length).toBeLessThanOrEqual(rate * 0.12);
        expect(codec.decode(good[0] ?? Buffer.alloc(0))).toHaveLength(rate / 50);
      }),
      { numRuns: 3_000 },
    );
  });

  it('reports empty, oversized and invalid payloads as damaged', () => {
    const codec = new OpusCodecs().open(rate);
    for (const payload of [Buffer.alloc(0), Buffer.alloc(70_000), Buffer.from([0xff]), Buffer.alloc(1_276, 1)])
      expect(codec.decode(payload)).toBeNull();
  });

  it('is not changed by a payload that it reports as damaged', () => {
    const pcm = tone(440, 1, rate, -18);
    const packets = encodeAll(new OpusCodecs().open(rate), pcm);
    const [clean, disturbed] = [new OpusCodecs().open(rate), new OpusCodecs().open(rate)];
    const decoded = packets.map((packet) => {
      expect(disturbed.decode(Buffer.from([0xff]))).toBeNull();
      return disturbed.decode(packet);
    });
    expect(decoded).toEqual(packets.map((packet) => clean.decode(packet)));
  });

  it('starts afresh when a closed codec is used again', () => {
    const codecs = new OpusCodecs();
    const pcm = tone(440, 1, rate, -18);
    const first = codecs.open(rate);
    const packets = encodeAll(first, pcm);
    const decoded = decodeAll(first, packets);
    first.close();
    const second = codecs.open(rate);
    expect(encodeAll(second, pcm)).toEqual(packets);
    expect(decodeAll(second, packets)).toEqual(decoded);
  });

  it('never gives two callers the same codec', () => {
    const codecs = new OpusCodecs();
    const first = codecs.open(rate);
    first.close();
    first.close();
    const [second, third] = [codecs.open(rate), codecs.open(rate)];
    const expected = encodeAll(new OpusCodecs().open(rate), tone(440, 1, rate, -18));
    encodeAll(third, tone(1_000, 1, rate, -10));
    expect(encodeAll(second, tone(440, 1, rate, -18))).toEqual(expected);
    expect(() => first.encode(new Int16Array(rate / 50))).toThrow('closed');
    expect(first.decode(expected[0] ?? Buffer.alloc(0))).toBeNull();
  });
});

it('decodes at 16 kHz what was encoded at 8 kHz, without an image of the tone', () => {
  const codecs = new OpusCodecs();
  const packets = encodeAll(codecs.open(8_000), tone(440, 2, 8_000, -18));
  const decoded = decodeAll(codecs.open(16_000), packets).subarray(16_000);
  expect(levelOf(decoded, 440, 16_000)).toBeCloseTo(-18, 0);
  expect(levelOf(decoded, 7_560, 16_000)).toBeLessThan(-80);
});

it('holds 200 codecs in 60 MB', () => {
  const before = process.memoryUsage().rss;
  const codecs = new OpusCodecs();
  const open = Array.from({ length: 200 }, () => codecs.open(8_000));
  const payloads = open.map((codec) => codec.encode(tone(440, 0.02, 8_000, -18)));
  expect(open.map((codec, i) => codec.decode(payloads[i] ?? Buffer.alloc(0))?.length)).toEqual(Array(200).fill(160));
  expect(process.memoryUsage().rss - before).toBeLessThan(60_000_000);
});
