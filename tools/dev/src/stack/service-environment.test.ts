import { expect, it } from 'vitest';
import { readNumbers } from './service-environment.ts';

it('reads numbers with what is said of them', () => {
  expect(
    readNumbers(
      '+12025550100, +4930555010=de-DE ,+33155550100=fr:FR,+18005550100=en-US:US:toll-free,+448005550100=en-GB:toll-free',
    ),
  ).toEqual([
    { e164: '+12025550100', language: 'en-US' },
    { e164: '+4930555010', language: 'de-DE' },
    { e164: '+33155550100', language: 'fr', country: 'FR' },
    { e164: '+18005550100', language: 'en-US', country: 'US', tollFree: true },
    { e164: '+448005550100', language: 'en-GB', tollFree: true },
  ]);
});

it.each([
  '',
  '12025550100',
  '+12025550100=english',
  '+12025550100=en-US:us',
  '+12025550100:US',
  '+12025550100=en-US:toll-free:US',
  '+12025550100,,+4930555010',
])('refuses «%s», and says how it is written', (text) => {
  expect(() => readNumbers(text)).toThrow(/Write numbers like/);
});
