import fc from 'fast-check';
import { expect, it } from 'vitest';
import { rankGateways } from './rank-gateways.ts';

const ids = fc.uniqueArray(fc.stringMatching(/^[a-z0-9-]{1,10}$/), { minLength: 1, maxLength: 8 });

it('ranks the same gateways in the same order, however they are listed', () => {
  fc.assert(
    fc.property(fc.string(), ids, (conference, gatewayIds) => {
      expect(rankGateways(conference, gatewayIds.toReversed())).toEqual(rankGateways(conference, gatewayIds));
    }),
  );
});

it('keeps the order of the others when one is gone', () => {
  fc.assert(
    fc.property(fc.string(), ids, (conference, gatewayIds) => {
      const [gone, ...others] = rankGateways(conference, gatewayIds);
      expect(
        rankGateways(
          conference,
          gatewayIds.filter((id) => id !== gone),
        ),
      ).toEqual(others);
    }),
  );
});

it('spreads conferences over all gateways', () => {
  const first = Array.from({ length: 300 }, (_, n) => rankGateways(`conv_${n}`, ['one', 'two', 'three'])[0]);
  for (const id of ['one', 'two', 'three']) expect(first.filter((each) => each === id).length).toBeGreaterThan(60);
});
