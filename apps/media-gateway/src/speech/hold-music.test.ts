import { levelOf, rmsOf } from '@partyline/testing/tones';
import { describe, expect, it } from 'vitest';
import { composeHoldMusic, createHoldMusic } from './hold-music.ts';

describe.each([8_000, 16_000])('hold music at %i Hz', (rate) => {
  const music = composeHoldMusic(rate);
  const steps = music.map((sample, i) => Math.abs(sample - (music.at(i - 1) ?? 0)));

  it('lasts 16 s at -24 dBFS, and does not clip', () => {
    expect(music).toHaveLength(16 * rate);
    expect(rmsOf(music)).toBeCloseTo(-24, 1);
    expect(music.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0)).toBeLessThan(16_000);
  });

  it('is the same each time', () => {
    expect(composeHoldMusic(rate)).toEqual(music);
  });

  it('loops without a click or a pause', () => {
    // The step from the last sample to the first is as small as the others.
    expect(steps[0]).toBeLessThanOrEqual(steps.reduce((most, step) => Math.max(most, step), 0));
    const quarters = Array.from({ length: 64 }, (_, i) => music.subarray((i * rate) / 4, ((i + 1) * rate) / 4));
    const levels = quarters.map(rmsOf);
    expect(Math.min(...levels)).toBeGreaterThan(-34);
    expect(Math.max(...levels)).toBeLessThan(-18);
  });

  it('passes a telephone line: what is below 200 Hz and above 3400 Hz does not matter', () => {
    const outside = [100, 150, 3_400, 3_600, 3_900].map((hz) => levelOf(music.subarray(0, 4 * rate), hz, rate));
    expect(Math.max(...outside)).toBeLessThan(-60);
  });
});

it('is composed once for each rate', () => {
  const holdMusic = createHoldMusic([8_000]);
  expect(holdMusic(8_000)).toBe(holdMusic(8_000));
  expect(holdMusic(16_000)).toBe(holdMusic(16_000));
});
