import { levelOf, rmsOf, snr, tone } from '@partyline/testing/tones';
import { describe, expect, it } from 'vitest';
import { resample, resampledLength } from './resample.ts';

const RATES = [8_000, 16_000, 22_050, 24_000, 44_100, 48_000];
const PAIRS = RATES.flatMap((from) => RATES.filter((to) => to !== from).map((to) => [from, to] as const));

/** Without the ends, where the filter reaches beyond the sound. */
const middle = (pcm: Int16Array): Int16Array => pcm.subarray(Math.floor(pcm.length / 4), Math.floor(pcm.length * 0.75));

describe.each(PAIRS)('from %i Hz to %i Hz', (from, to) => {
  const limit = Math.min(from, to) / 2;

  it('keeps the duration, and the level of tones up to 85 % of the band', () => {
    for (const hz of [300, 1_003, 0.85 * limit]) {
      const result = resample(tone(hz, 1, from, -18), from, to);
      expect(result).toHaveLength(to);
      expect(levelOf(middle(result), hz, to)).toBeCloseTo(-18, 1);
      expect(snr(middle(result), hz, to)).toBeGreaterThan(60);
    }
  });
});

it.each(PAIRS.filter(([from, to]) => to < from))(
  'removes tones above the band from %i Hz to %i Hz instead of folding them into it',
  (from, to) => {
    const tones = [1.01, 1.05, 1.1, 1.5, 1.9].map((share) => (share * to) / 2).filter((hz) => hz < from / 2);
    const levels = tones.map((hz) => rmsOf(middle(resample(tone(hz, 1, from, -6), from, to))));
    expect(Math.max(...levels)).toBeLessThan(-75);
  },
);

it.each(PAIRS.filter(([from, to]) => to > from))(
  'adds no image above the band of the source from %i Hz to %i Hz',
  (from, to) => {
    const result = middle(resample(tone(3_000, 1, from, -6), from, to));
    const images = [from - 3_000, from + 3_000].filter((hz) => hz < to / 2);
    expect(Math.max(-144, ...images.map((hz) => levelOf(result, hz, to)))).toBeLessThan(-80);
  },
);

it.each(PAIRS)('limits overshoots to 16 bits from %i Hz to %i Hz', (from, to) => {
  // A square wave of 100 Hz, at full scale: the filter overshoots at its edges.
  const square = (i: number, rate: number): number => (Math.floor((i * 200) / rate) % 2 === 0 ? 32_767 : -32_768);
  const result = resample(
    Int16Array.from({ length: from }, (_, i) => square(i, from)),
    from,
    to,
  );
  // A sample that wraps around has the wrong sign. The edges themselves have any sign.
  const wrong = [...result.keys()].filter((i) => {
    const fromEdge = ((i * 200) / to) % 1;
    return fromEdge > 0.1 && fromEdge < 0.9 && Math.sign(result[i] ?? 0) !== Math.sign(square(i, to));
  });
  expect(wrong).toEqual([]);
});

it('returns the same sound for the same rate', () => {
  const pcm = tone(440, 0.1, 8_000, -18);
  expect(resample(pcm, 8_000, 8_000)).toEqual(pcm);
});

it.each([
  [22_050, 8_000],
  [8_000, 8_000],
  [8_000, 48_000],
])('converts slices from %i Hz to %i Hz like the whole', (from, to) => {
  const pcm = tone(440, 0.5, from, -18);
  const length = resampledLength(pcm.length, from, to);
  const slices = [0, 1, 1_000, 3_001, length].flatMap((end, i, ends) => [
    ...resample(pcm, from, to, { start: ends[i - 1] ?? 0, end }),
  ]);
  expect(Int16Array.from(slices)).toEqual(resample(pcm, from, to));
});
