import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isE164, maskNumber, toE164 } from './phone.ts';

test.each([
  ['+442079460018', true],
  ['+1555010', true],
  ['+123456789012345', true],
  ['+1234567890123456', false],
  ['+123456', false],
  ['+0442079460018', false],
  ['442079460018', false],
  ['00442079460018', false],
  ['+44 2079460018', false],
  ['+44-207-9460018', false],
  ['+44٢٠٧٩٤٦٠٠١٨', false],
  ['+442079460018\n', false],
  ['sip:+442079460018@example.com', false],
  ['', false],
])('isE164 of %j is %s', (text, is) => {
  expect(isE164(text)).toBe(is);
});

test.each([
  ['442079460018', '+442079460018'],
  ['+442079460018', '+442079460018'],
  ['anonymous', null],
  ['+00000000', null],
  ['', null],
  [undefined, null],
])('toE164 of %j is %j', (text, number) => {
  expect(toE164(text)).toBe(number);
});

test.each([
  ['+442079460018', '+442*******18'],
  ['+1555010', '+155**10'],
  ['+123456', '***'],
])('maskNumber of %s is %s', (number, shown) => {
  expect(maskNumber(number)).toBe(shown);
});

test('maskNumber shows at most six characters and keeps the length', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^\+[1-9]\d{6,14}$/), (number) => {
      const shown = maskNumber(number);
      expect(shown.replaceAll('*', '').length).toBeLessThanOrEqual(6);
      expect(shown).toHaveLength(number.length);
    }),
  );
});
