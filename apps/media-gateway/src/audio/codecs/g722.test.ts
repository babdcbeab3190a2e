import { createHash } from 'node:crypto';
import { seededRandomInt } from '@partyline/testing/seeded';
import { levelOf, rmsOf, snr, tone } from '@partyline/testing/tones';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openG722 } from './g722.ts';
import type { VoiceCodec } from './voice-codec.ts';

const FRAME = 320;

const randomValues = (count: number, seed: number, below: number): number[] => {
  const random = seededRandomInt(seed);
  return Array.from({ length: count }, () => random(below));
};
const encodeAll = (pcm: Int16Array, codec: VoiceCodec = openG722()): Buffer =>
  Buffer.concat(
    Array.from({ length: pcm.length / FRAME }, (_, i) => codec.encode(pcm.subarray(i * FRAME, (i + 1) * FRAME))),
  );
const decodeAll = (payload: Uint8Array): Int16Array => openG722().decode(payload) ?? new Int16Array(0);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('G.722', () => {
  // The hashes are of what FFmpeg 5.1.9 makes of the same input.
  it('decodes random bytes to the same samples as FFmpeg', () => {
    const decoded = decodeAll(Uint8Array.from(randomValues(16_000, 1, 256)));
    expect(sha256(new Uint8Array(decoded.buffer))).toBe(
      '6f599ff933e40c0b15d2d276f15bd614d8554263f021bb0167750bd7cde00760',
    );
  });

  it.each([
    ['loud', 65_536, '29cd9b0271009864f71e1d53e51285b1208eb04befec4fa6682bb15fb55c8617'],
    ['soft', 400, 'd1366268b5b16c58fe733d36fdfc3cffa4ad7619be843587ed2b014285e622f2'],
  ])('encodes %s noise to the same bytes as FFmpeg', (_level, range, hash) => {
    const noise = Int16Array.from(randomValues(32_000, 2, range), (value) => value - range / 2);
    expect(sha256(encodeAll(noise))).toBe(hash);
  });

  it('keeps the level of tones up to 7 kHz', () => {
    for (const [hz, minSnr] of [
      [300, 40],
      [1_003, 40],
      [3_000, 40],
      [7_000, 20],
    ] as const) {
      const decoded = decodeAll(encodeAll(tone(hz, 2, 16_000, -18))).subarray(16_000);
      expect(levelOf(decoded, hz, 16_000)).toBeCloseTo(-18, 1);
      expect(snr(decoded, hz, 16_000)).toBeGreaterThan(minSnr);
    }
  });

  it('makes silence of silence, also after loud noise', () => {
    const noise = Int16Array.from(randomValues(3_200, 3, 65_536), (value) => value - 32_768);
    const signal = new Int16Array(3_200 + 16_000);
    signal.set(noise);
    expect(rmsOf(decodeAll(encodeAll(signal)).subarray(12_800))).toBeLessThan(-75);
  });

  it('goes on after any payload', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 500 }), (payload) => {
        const codec = openG722();
        expect(codec.decode(payload)).toHaveLength(payload.length * 2);
        const decoded = codec.decode(encodeAll(tone(440, 1, 16_000, -18))) ?? new Int16Array(0);
        expect(levelOf(decoded.subarray(8_000), 440, 16_000)).toBeCloseTo(-18, 0);
      }),
      { numRuns: 50 },
    );
  });

  it('reports an empty payload as damaged', () => {
    expect(openG722().decode(Buffer.alloc(0))).toBeNull();
  });

  it('rejects a frame of another length', () => {
    for (const length of [0, 160, 319, 640])
      expect(() => openG722().encode(new Int16Array(length))).toThrow(RangeError);
  });
});
