import { expect, it } from 'vitest';
import { parseNumbers } from './service-environment.ts';

it('parses numbers with language, country and toll-free flag', () => {
  expect(
    parseNumbers(
      '+12025550100, +4930555010=de-DE ,+33155550100=fr:FR,' +
        '+18005550100=en-US:US:toll-free,+448005550100=en-GB:toll-free',
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
])('rejects "%s" and describes the format', (text) => {
  expect(() => parseNumbers(text)).toThrow(/Write numbers like/);
});
