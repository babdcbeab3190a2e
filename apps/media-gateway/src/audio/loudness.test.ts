import { seededRandomInt } from '@partyline/testing/seeded';
import { levelOf, mix, snr, tone } from '@partyline/testing/tones';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalizeSpeech, speechLevel } from './loudness.ts';

const RATE = 16_000;
const PEAK = 32_768 * 10 ** (-1 / 20);

/** Bursts with pauses, like words. */
const words = (dbfs: number): Int16Array => tone(300, 3, RATE, dbfs).map((s, i) => (i % 8_000 < 4_000 ? s : 0));

describe('speechLevel', () => {
  it('is the level of the words, whatever the pauses', () => {
    expect(speechLevel(tone(300, 1, RATE, -20), RATE)).toBeCloseTo(-20, 1);
    expect(speechLevel(words(-20), RATE)).toBeCloseTo(-20, 0);
    expect(speechLevel(mix(words(-20), tone(50, 3, RATE, -55)), RATE)).toBeCloseTo(-20, 0);
  });

  it('is undefined for silence', () => {
    expect(speechLevel(new Int16Array(RATE), RATE)).toBeUndefined();
    expect(speechLevel(new Int16Array(0), RATE)).toBeUndefined();
    expect(speechLevel(tone(300, 1, RATE, -70), RATE)).toBeUndefined();
  });
});

describe('normalizeSpeech', () => {
  it('brings any level to the target', () => {
    for (const dbfs of [-45, -30, -18, -6]) {
      expect(speechLevel(normalizeSpeech(words(dbfs), RATE), RATE)).toBeCloseTo(-18, 0);
      expect(speechLevel(normalizeSpeech(words(dbfs), RATE, -26), RATE)).toBeCloseTo(-26, 0);
    }
  });

  it('limits the peaks without distorting the rest', () => {
    const clicks = Int16Array.from({ length: 3 * RATE }, (_, i) => (i % RATE === 8_000 ? 20_000 : 0));
    const result = normalizeSpeech(mix(tone(300, 3, RATE, -26), clicks), RATE);
    expect(Math.max(...result.map(Math.abs))).toBeLessThanOrEqual(Math.ceil(PEAK));
    expect(speechLevel(result, RATE)).toBeCloseTo(-18, 0);
    const between = result.subarray(9_000, 23_000);
    expect(levelOf(between, 300, RATE)).toBeCloseTo(-18, 0);
    expect(snr(between, 300, RATE)).toBeGreaterThan(50);
  });

  it('reaches the target for noise with high peaks', () => {
    const random = seededRandomInt(1);
    const noise = Int16Array.from({ length: RATE }, () => {
      const sum = Array.from({ length: 6 }, () => random(2_001) - 1_000).reduce((a, b) => a + b, 0);
      return (sum * Math.abs(sum)) / 4_000;
    });
    expect(speechLevel(normalizeSpeech(noise, RATE), RATE)).toBeCloseTo(-18, 0);
  });

  it('leaves silence alone', () => {
    expect(normalizeSpeech(new Int16Array(RATE), RATE)).toEqual(new Int16Array(RATE));
    expect(normalizeSpeech(new Int16Array(0), RATE)).toEqual(new Int16Array(0));
  });

  it('never clips and never changes the length', () => {
    fc.assert(
      fc.property(fc.int16Array({ maxLength: 3_000 }), (pcm) => {
        const result = normalizeSpeech(pcm, RATE);
        expect(result).toHaveLength(pcm.length);
        const isChanged = result !== pcm;
        if (isChanged) expect(Math.max(...result.map(Math.abs))).toBeLessThanOrEqual(Math.ceil(PEAK));
        else expect(result).toBe(pcm);
      }),
    );
  });
});
