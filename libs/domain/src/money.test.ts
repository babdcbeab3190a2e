import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fits, spendState, toMicro } from './money.ts';

describe('an amount as a provider writes it', () => {
  it.each([
    ['0.00015000', 150n],
    ['0.00798', 7_980n],
    ['12', 12_000_000n],
    ['0.0000005', 1n],
    ['0.0000004999', 0n],
    ['999999999.9999999', 1_000_000_000_000_000n],
  ])('%s is %s micro-units', (text, micro) => {
    expect(toMicro(text)).toBe(micro);
  });

  it.each(['', '-1', '+1', '1e3', '1,5', '.5', '5.', 'NaN', ' 1', '١', '1.5 EUR', '12345678901'])(
    '«%s» is none',
    (text) => {
      expect(toMicro(text)).toBeUndefined();
    },
  );

  it('is never off by more than half a millionth', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 16n }), (units) => {
        const text = units.toString().padStart(9, '0');
        const micro = toMicro(`${text.slice(0, -8)}.${text.slice(-8)}`)!;
        const off = micro * 100n - units;
        expect(off >= -50n && off <= 50n).toBe(true);
      }),
    );
  });
});

describe('a limit', () => {
  const use = (used: bigint, oneMore = 10n) => ({
    scope: 'room-spend' as const,
    used,
    allowed: 100n,
    oneMore,
    currency: 'EUR',
  });
  it.each([
    [0n, 'under'],
    [79n, 'under'],
    [80n, 'near'],
    [99n, 'near'],
    [100n, 'spent'],
    [101n, 'spent'],
  ] as const)('of 100 with %s used is %s', (used, state) => {
    expect(spendState(use(used))).toBe(state);
  });

  it('takes one more leg while its first minute is left', () => {
    expect([fits(use(90n), 1), fits(use(91n), 1), fits(use(100n), 0), fits(use(101n), 0)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });

  it('of nothing is spent from the beginning', () => {
    expect(spendState({ used: 0n, allowed: 0n })).toBe('spent');
  });
});
