import { describe, expect, it } from 'vitest';
import { levelOf, mix, rmsOf, snr, tone } from './tones.ts';

const RATE = 8_000;

describe('levelOf', () => {
  it('measures the RMS level that a tone was made with', () => {
    for (const hz of [150, 440, 1_003.7, 3_400]) {
      expect(levelOf(tone(hz, 1, RATE, -20), hz, RATE)).toBeCloseTo(-20, 1);
    }
  });

  it('does not see a loud tone at another frequency', () => {
    expect(levelOf(tone(440, 1, RATE, -6), 1_000, RATE)).toBeLessThan(-90);
  });

  it('measures each tone of a mix', () => {
    const both = mix(tone(440, 1, RATE, -20), tone(1_000, 1, RATE, -40));
    expect(levelOf(both, 440, RATE)).toBeCloseTo(-20, 1);
    expect(levelOf(both, 1_000, RATE)).toBeCloseTo(-40, 1);
  });

  it('is far below any tone for silence and for no samples', () => {
    expect(levelOf(new Int16Array(RATE), 440, RATE)).toBeLessThan(-140);
    expect(levelOf(new Int16Array(0), 440, RATE)).toBeLessThan(-140);
  });
});

describe('rmsOf', () => {
  it('equals the level of the only tone', () => {
    expect(rmsOf(tone(440, 1, RATE, -18))).toBeCloseTo(-18, 1);
  });
});

describe('snr', () => {
  it('is high for a clean tone of any phase', () => {
    expect(snr(tone(440, 1, RATE, -20).subarray(37), 440, RATE)).toBeGreaterThan(65);
  });

  it('equals the distance to a second tone', () => {
    expect(snr(mix(tone(440, 1, RATE, -20), tone(1_000, 1, RATE, -45)), 440, RATE)).toBeCloseTo(25, 0);
  });

  it('counts a jump in time as noise', () => {
    const pcm = tone(440, 1, RATE, -20);
    const jump = Int16Array.from(pcm, (sample, i) => (i < 4_000 ? sample : (pcm[i - 9] ?? 0)));
    expect(snr(jump, 440, RATE)).toBeLessThan(5);
  });

  it('is negative for another frequency', () => {
    expect(snr(tone(1_000, 1, RATE, -20), 440, RATE)).toBeLessThan(-20);
  });
});
