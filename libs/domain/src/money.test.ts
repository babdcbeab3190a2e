import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitsBudget, roundMicroUnits, spendState, toCurrencyUnits, toMicroUnits } from './money.ts';

describe('toMicroUnits', () => {
  it.each([
    ['0.00015000', '150'],
    ['0.00015025', '150.25'],
    ['0.00798', '7980'],
    ['12', '12000000'],
    ['0.0000005', '0.5'],
    ['0.00000001', '0.01'],
    ['0', '0'],
    ['0.00000000', '0'],
    ['10', '10000000'],
    ['999999999.9999999', '999999999999999.9'],
  ])('converts %s to %s micro-units', (text, micro) => {
    expect(toMicroUnits(text)).toBe(micro);
  });

  it.each(['', '-1', '+1', '1e3', '1,5', '.5', '5.', 'NaN', ' 1', '١', '1.5 EUR', '12345678901'])(
    'returns undefined for "%s"',
    (text) => {
      expect(toMicroUnits(text)).toBeUndefined();
    },
  );

  const units = fc.bigInt({ min: 0n, max: 10n ** 16n });
  /** A price with eight decimals, as the provider writes it. */
  const asPrice = (of: bigint): string => {
    const text = of.toString().padStart(9, '0');
    return `${text.slice(0, -8)}.${text.slice(-8)}`;
  };

  it('keeps all eight decimals of a price', () => {
    fc.assert(
      fc.property(units, (of) => {
        const price = asPrice(of);
        expect(toCurrencyUnits(toMicroUnits(price)!)).toBe(price.replace(/\.?0+$/, ''));
      }),
    );
  });

  it('roundMicroUnits rounds to within half a micro-unit', () => {
    fc.assert(
      fc.property(units, (of) => {
        const off = BigInt(roundMicroUnits(toMicroUnits(asPrice(of))!)) * 100n - of;
        expect(off > -50n && off <= 50n).toBe(true);
      }),
    );
  });
});

describe('a spend limit', () => {
  const use = (used: bigint, firstMinute = 10n) => ({
    scope: 'room-spend' as const,
    used,
    allowed: 100n,
    firstMinute,
    currency: 'EUR',
  });
  it.each([
    [0n, 'under'],
    [79n, 'under'],
    [80n, 'near'],
    [99n, 'near'],
    [100n, 'spent'],
    [101n, 'spent'],
  ] as const)('spendState with %s of 100 used is %s', (used, state) => {
    expect(spendState(use(used))).toBe(state);
  });

  it('fitsBudget accepts one more leg while its first minute fits', () => {
    expect([
      fitsBudget(use(90n), 1),
      fitsBudget(use(91n), 1),
      fitsBudget(use(100n), 0),
      fitsBudget(use(101n), 0),
    ]).toEqual([true, false, true, false]);
  });

  it('spendState of an empty limit is spent', () => {
    expect(spendState({ used: 0n, allowed: 0n })).toBe('spent');
  });
});
