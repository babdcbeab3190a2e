import { expect, it } from 'vitest';
import { parseNumbers } from './service-environment.ts';

it('parses numbers with language, country and toll-free flag, which may be left out', () => {
  expect(
    parseNumbers('+12025550100, +4930555010=de-DE ,+33155550100=fr:FR,+80012345678,+18005550100=en-US:US:toll-free'),
  ).toEqual([
    { e164: '+12025550100' },
    { e164: '+4930555010', language: 'de-DE' },
    { e164: '+33155550100', language: 'fr', country: 'FR' },
    { e164: '+80012345678' },
    { e164: '+18005550100', language: 'en-US', country: 'US', tollFree: true },
  ]);
});

it.each(['zh-Hant-TW', 'es-419', 'sr-Latn', 'en-US'])('accepts the language %s, as the API does', (language) => {
  expect(parseNumbers(`+12025550100=${language}`)).toEqual([{ e164: '+12025550100', language }]);
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

it.each([
  ['+12025550100=en-US:ZZ', 'Its country must be the code of a country'],
  ['+442079460018=en-GB:UK', 'Its country is not a country code (ISO 3166-1 alpha-2): did you mean GB?'],
  ['+12025550100=xx-YY', 'Its language must be a language tag'],
  ['+12025550100=de-DE:DE', 'The number has the calling code +1, and DE has +49.'],
])('rejects %s: %s', (text, problem) => {
  expect(() => parseNumbers(text)).toThrow(problem);
});
