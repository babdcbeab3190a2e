import { levelOf, snr, tone } from '@partyline/testing/tones';
import { describe, expect, it } from 'vitest';
import { decodeG711, openG711 } from './g711.ts';

const CODES = Uint8Array.from({ length: 256 }, (_, code) => code);
const frames = (pcm: Int16Array): Int16Array[] =>
  Array.from({ length: pcm.length / 160 }, (_, i) => pcm.subarray(i * 160, (i + 1) * 160));

describe.each(['PCMU', 'PCMA'] as const)('%s', (name) => {
  const codec = openG711(name);

  it('encodes every decoded code as a code of the same value', () => {
    const values = decodeG711(name, CODES);
    const again = frames(Int16Array.from({ length: 320 }, (_, i) => values[i] ?? 0)).map((pcm) => codec.encode(pcm));
    expect(decodeG711(name, Buffer.concat(again).subarray(0, 256))).toEqual(values);
  });

  it('encodes every sample as the nearest value', () => {
    const values = [...new Set(decodeG711(name, CODES))].toSorted((a, b) => a - b);
    const samples = Int16Array.from({ length: 410 * 160 }, (_, i) => Math.min(32_767, i - 32_768));
    const decoded = decodeG711(name, Buffer.concat(frames(samples).map((pcm) => codec.encode(pcm))));
    const wrong = samples.filter((sample, i) => {
      const above = values.findIndex((value) => value >= sample);
      const [low, high] = [values[Math.max(0, above - 1)] ?? 0, values.at(above) ?? 0];
      return Math.abs(sample - (decoded[i] ?? 0)) > Math.min(Math.abs(sample - low), Math.abs(sample - high));
    });
    expect([...wrong]).toEqual([]);
  });

  it('keeps the level of a tone, 35 dB above its noise', () => {
    const pcm = tone(1_013, 1, 8_000, -18);
    const decoded = decodeG711(name, Buffer.concat(frames(pcm).map((frame) => codec.encode(frame))));
    expect(levelOf(decoded, 1_013, 8_000)).toBeCloseTo(-18, 1);
    expect(snr(decoded, 1_013, 8_000)).toBeGreaterThan(35);
  });

  it('rejects a frame of another length', () => {
    expect(() => codec.encode(new Int16Array(159))).toThrow(RangeError);
  });

  it('reports an empty payload as damaged', () => {
    expect(codec.decode(Buffer.alloc(0))).toBeNull();
  });
});

it.each([
  // ITU-T G.711, tables 2a and 1a: the ends of the ranges and the codes of silence.
  ['PCMU', 0x00, -32_124],
  ['PCMU', 0x80, 32_124],
  ['PCMU', 0x7f, 0],
  ['PCMU', 0xff, 0],
  ['PCMA', 0x2a, -32_256],
  ['PCMA', 0xaa, 32_256],
  ['PCMA', 0xd5, 8],
  ['PCMA', 0x55, -8],
] as const)('decodes the %s code %i as %i', (name, code, value) => {
  expect(decodeG711(name, Uint8Array.of(code))).toEqual(Int16Array.of(value));
});

it.each([
  ['PCMU', 0xff],
  ['PCMA', 0xd5],
] as const)('encodes silence in %s as the code %i', (name, code) => {
  expect(openG711(name).encode(new Int16Array(160))).toEqual(Buffer.alloc(160, code));
});
