import { getCountries } from 'libphonenumber-js/max';
import { describe, expect, it } from 'vitest';
import { countryCode, languageTag } from './iso.ts';

const messageOf = (schema: ReturnType<typeof languageTag>, value: unknown): string =>
  schema
    .safeParse(value)
    .error?.issues.map(({ message }) => message)
    .join() ?? 'accepted';

describe('countryCode', () => {
  it('accepts every country with a numbering plan, and those without one', () => {
    for (const code of [...getCountries(), 'AQ', 'UM']) expect(countryCode().parse(code)).toBe(code);
  });

  it.each([
    ['UK', 'GB'],
    ['us', 'US'],
    ['uk', 'GB'],
    ['SU', 'RU'],
    ['DD', 'DE'],
  ])('rejects %s and suggests %s', (code, meant) => {
    expect(messageOf(countryCode(), code)).toContain(`did you mean ${meant}?`);
  });

  it.each(['ZZ', 'XX', 'EU', 'UN', 'AA', 'USA', 'U', '', '49', 'U\u0000', 7, null])('rejects %j', (code) => {
    expect(messageOf(countryCode(), code)).toMatch(/ISO 3166-1/);
  });
});

describe('languageTag', () => {
  it.each([
    ['en', 'en'],
    ['EN-us', 'en-US'],
    ['de-DE', 'de-DE'],
    ['es-419', 'es-419'],
    ['zh-Hant-TW', 'zh-Hant-TW'],
    ['haw', 'haw'],
    ['iw', 'he'],
    ['en-UK', 'en-GB'],
  ])('accepts %s as %s', (given, tag) => expect(languageTag().parse(given)).toBe(tag));

  it.each([
    'xx-YY',
    'xx',
    'en-YY',
    'en-ZZ',
    'en-999',
    'und',
    'en_US',
    'english',
    'en-',
    '',
    'en\u0000',
    'x'.repeat(36),
    7,
  ])('rejects %j', (given) => expect(messageOf(languageTag(), given)).toMatch(/BCP 47/));
});
