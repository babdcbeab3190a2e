import { seededRandomInt } from '@partyline/testing/seeded';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  drawPin,
  isCommonPattern,
  isPinShaped,
  LEAST_BUDGET,
  PIN_MAX_LENGTH,
  PIN_MIN_LENGTH,
  pinLength,
  PINS_COUNTED,
  pinSpace,
  spacedPin,
} from './pin.ts';

const lengths = fc.integer({ min: PIN_MIN_LENGTH, max: PIN_MAX_LENGTH });

describe('how long a PIN is', () => {
  test.each([
    { others: 0, length: 9 },
    { others: 85, length: 9 },
    { others: 86, length: 10 },
    { others: 773, length: 10 },
    { others: 774, length: 11 },
    { others: 6_972, length: 11 },
    { others: 6_973, length: 12 },
    { others: 1e9, length: 12 },
  ])('with $others others on the number: $length', ({ others, length }) => {
    expect(pinLength(others)).toBe(length);
  });

  it('is the same however many more there are than are counted', () => {
    fc.assert(
      fc.property(fc.integer({ min: PINS_COUNTED, max: 1e9 }), (others) => {
        expect(pinLength(others)).toBe(PIN_MAX_LENGTH);
      }),
    );
  });

  it('lets a number take five thousand wrong PINs a day for a thousandth, as it fills, up to 62,762 of them', () => {
    const live = new Map<number, number>();
    for (let others = 0; others < 62_762; others++) {
      const length = pinLength(others);
      live.set(length, (live.get(length) ?? 0) + 1);
    }
    for (const [length, n] of live)
      expect(Math.floor(pinSpace(length) / n / 1_000)).toBeGreaterThanOrEqual(LEAST_BUDGET);
  });
});

describe('a drawn PIN', () => {
  it('has the length asked for, no two equal neighbours, and is no common pattern', () => {
    fc.assert(
      fc.property(lengths, fc.nat(), (length, seed) => {
        const pin = drawPin(length, seededRandomInt(seed));
        expect(pin).toMatch(new RegExp(`^\\d{${length}}$`));
        expect(pin).not.toMatch(/(\d)\1/);
        expect(isCommonPattern(pin)).toBe(false);
        expect(isPinShaped(pin)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it('ends, with at most a few draws over', () => {
    fc.assert(
      fc.property(lengths, fc.nat(), (length, seed) => {
        const random = seededRandomInt(seed);
        let asked = 0;
        drawPin(length, (below) => {
          asked += 1;
          return random(below);
        });
        expect(asked).toBeLessThanOrEqual(length * 5);
      }),
      { numRuns: 500 },
    );
  });

  it('has every digit at every place about equally often', () => {
    const random = seededRandomInt(3);
    const draws = 20_000;
    const pins = Array.from({ length: draws }, () => drawPin(6, random));
    for (let place = 0; place < 6; place++) {
      const counts = Array.from('0123456789', (digit) => pins.filter((pin) => pin[place] === digit).length);
      // Chi-squared with nine degrees of freedom: 33.7 is one in ten thousand.
      expect(counts.reduce((sum, n) => sum + (n - draws / 10) ** 2 / (draws / 10), 0)).toBeLessThan(33.7);
    }
  });

  it('draws again when what came is a common pattern', () => {
    // 0, then always one more than the digit before: 012345; the second time 0, 2, 4, 1, 3, 5.
    const digits = [0, 0, 1, 2, 3, 4, 0, 1, 3, 1, 2, 4];
    expect(drawPin(6, () => digits.shift() ?? 0)).toBe('024135');
  });

  test.each([5, 13, 6.5, Number.NaN])('of %s digits is refused', (length) => {
    expect(() => drawPin(length, seededRandomInt(1))).toThrow(RangeError);
  });
});

test.each([
  ['123456', true],
  ['987654321', true],
  ['901234', true],
  ['135791', true],
  ['000000', true],
  ['121212', true],
  ['123123', true],
  ['12341234', true],
  ['123456780', false],
  ['121213', false],
  ['1231234', false],
  ['804163', false],
])('%s is a common pattern: %s', (pin, is) => {
  expect(isCommonPattern(pin)).toBe(is);
});

test.each([
  ['123456', true],
  ['123456789012', true],
  ['12345', false],
  ['1234567890123', false],
  ['12345a', false],
  ['12345*', false],
  ['123456#', false],
  ['٠١٢٣٤٥', false],
  ['123456\n', false],
  ['', false],
])('%j could be a PIN: %s', (keyed, could) => {
  expect(isPinShaped(keyed)).toBe(could);
});

test.each([
  ['123456789', '123 456 789'],
  ['1234567', '123 456 7'],
  ['123456', '123 456'],
])('%s is read out as %s', (pin, shown) => {
  expect(spacedPin(pin)).toBe(shown);
});
