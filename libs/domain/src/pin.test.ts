import { seededRandomInt } from '@partyline/testing/seeded';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  drawPin,
  isCommonPattern,
  isPinShaped,
  MIN_WRONG_PINS_PER_DAY,
  PIN_MAX_LENGTH,
  PIN_MIN_LENGTH,
  choosePinLength,
  MAX_COUNTED_PINS,
  countPossiblePins,
  formatPin,
} from './pin.ts';

const lengths = fc.integer({ min: PIN_MIN_LENGTH, max: PIN_MAX_LENGTH });

describe('choosePinLength', () => {
  test.each([
    { others: 0, length: 9 },
    { others: 85, length: 9 },
    { others: 86, length: 10 },
    { others: 773, length: 10 },
    { others: 774, length: 11 },
    { others: 6_972, length: 11 },
    { others: 6_973, length: 12 },
    { others: 1e9, length: 12 },
  ])('returns $length with $others other PINs on the number', ({ others, length }) => {
    expect(choosePinLength(others)).toBe(length);
  });

  it('returns the maximum for any number of PINs above MAX_COUNTED_PINS', () => {
    fc.assert(
      fc.property(fc.integer({ min: MAX_COUNTED_PINS, max: 1e9 }), (others) => {
        expect(choosePinLength(others)).toBe(PIN_MAX_LENGTH);
      }),
    );
  });

  it('keeps 5,000 wrong PINs per day below a chance of one in a thousand, for up to 62,762 PINs', () => {
    const live = new Map<number, number>();
    for (let others = 0; others < 62_762; others++) {
      const length = choosePinLength(others);
      live.set(length, (live.get(length) ?? 0) + 1);
    }
    for (const [length, n] of live)
      expect(Math.floor(countPossiblePins(length) / n / 1_000)).toBeGreaterThanOrEqual(MIN_WRONG_PINS_PER_DAY);
  });
});

describe('drawPin', () => {
  it('returns a PIN of the given length without equal adjacent digits or a common pattern', () => {
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

  it('draws at most five random digits per digit of the PIN', () => {
    fc.assert(
      fc.property(lengths, fc.nat(), (length, seed) => {
        const random = seededRandomInt(seed);
        let draws = 0;
        drawPin(length, (below) => {
          draws += 1;
          return random(below);
        });
        expect(draws).toBeLessThanOrEqual(length * 5);
      }),
      { numRuns: 500 },
    );
  });

  it('draws every digit about equally often in every position', () => {
    const random = seededRandomInt(3);
    const draws = 20_000;
    const pins = Array.from({ length: draws }, () => drawPin(6, random));
    for (let position = 0; position < 6; position++) {
      const counts = Array.from('0123456789', (digit) => pins.filter((pin) => pin[position] === digit).length);
      // Chi-squared with nine degrees of freedom: 33.7 is exceeded in one of ten thousand runs.
      expect(counts.reduce((sum, n) => sum + (n - draws / 10) ** 2 / (draws / 10), 0)).toBeLessThan(33.7);
    }
  });

  it('draws again after a common pattern', () => {
    // The first draw gives 012345, the second 024135.
    const digits = [0, 0, 1, 2, 3, 4, 0, 1, 3, 1, 2, 4];
    expect(drawPin(6, () => digits.shift() ?? 0)).toBe('024135');
  });

  test.each([5, 13, 6.5, Number.NaN])('rejects a length of %s', (length) => {
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
])('isCommonPattern of %s is %s', (pin, is) => {
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
])('isPinShaped of %j is %s', (keyed, could) => {
  expect(isPinShaped(keyed)).toBe(could);
});

test.each([
  ['123456789', '123 456 789'],
  ['1234567', '123 456 7'],
  ['123456', '123 456'],
])('formatPin of %s is %s', (pin, shown) => {
  expect(formatPin(pin)).toBe(shown);
});
