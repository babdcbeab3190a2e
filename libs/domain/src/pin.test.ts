import { seededRandomInt } from '@partyline/testing/seeded';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { drawPin, isCommonPattern, isPinShaped, PIN_MAX_LENGTH, PIN_MIN_LENGTH, pinLength, spacedPin } from './pin.ts';

const lengths = fc.integer({ min: PIN_MIN_LENGTH, max: PIN_MAX_LENGTH });

describe('how long a PIN is', () => {
  test.each([
    { rooms: 0, wanted: 6, length: 6 },
    { rooms: 1, wanted: 6, length: 6 },
    { rooms: 2, wanted: 6, length: 7 },
    { rooms: 10, wanted: 6, length: 7 },
    { rooms: 11, wanted: 6, length: 8 },
    { rooms: 100, wanted: 6, length: 8 },
    { rooms: 1_000, wanted: 6, length: 9 },
    { rooms: 1_000, wanted: undefined, length: 9 },
    { rooms: 1_001, wanted: undefined, length: 10 },
    { rooms: 0, wanted: undefined, length: 9 },
    { rooms: 0, wanted: 1, length: 6 },
    { rooms: 0, wanted: 99, length: 12 },
    { rooms: 1e9, wanted: undefined, length: 12 },
  ])('$rooms rooms on the number, $wanted asked for: $length', ({ rooms, wanted, length }) => {
    expect(pinLength(rooms, wanted)).toBe(length);
  });

  it('keeps the odds that a guess hits some room at one in a million, up to a million rooms', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), (rooms) => {
        expect(rooms / 10 ** pinLength(rooms, PIN_MIN_LENGTH)).toBeLessThanOrEqual(1e-6);
      }),
    );
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
