import { VerdictError } from '@partyline/domain/verdict';
import fc from 'fast-check';
import { getCountries, getExampleNumber, parsePhoneNumber, type CountryCode } from 'libphonenumber-js/max';
import examples from 'libphonenumber-js/mobile/examples';
import { describe, expect, it } from 'vitest';
import { checkDestination } from './check-destination.ts';

const refusal = (phone: string, countries: readonly string[] = ['GB', 'US']): string => {
  try {
    checkDestination(phone, countries);
    return 'may be rung';
  } catch (error) {
    if (!(error instanceof VerdictError) || error.fix === undefined || error.field !== '/phone') throw error;
    return error.verdict.reason;
  }
};

describe('a number that is asked for', () => {
  it.each([
    ['+442079460018', 'may be rung'],
    ['+12025550143', 'may be rung'],
    ['+18005551234', 'may be rung'],
    ['+4930555010', 'destination-not-allowed'],
    ['+18765551234', 'destination-not-allowed'], // Jamaica, behind +1
    ['+441534456789', 'destination-not-allowed'], // Jersey, behind +44
    ['+19005551234', 'destination-premium'],
    ['+448712345678', 'destination-premium'],
    ['+443331234567', 'destination-premium'], // a company's
    ['+447012345678', 'destination-premium'], // a person's, wherever they are
    ['+15005550006', 'destination-premium'],
    ['+870773110000', 'destination-premium'], // satellite
    ['+881612345678', 'destination-premium'],
    ['+882161234567', 'destination-premium'],
    ['+88310012345', 'destination-premium'],
    ['+80012345678', 'destination-premium'],
    ['+97912345678', 'destination-premium'],
    ['+15550100', 'not-a-number'],
    ['+447700900001', 'not-a-number'], // kept for films
    ['+99912345678', 'not-a-number'],
    ['+10000000000', 'not-a-number'],
  ])('%s: %s', (phone, said) => {
    expect(refusal(phone)).toBe(said);
  });

  it('may be rung in countries that are allowed, and in no other', () => {
    for (const country of getCountries()) {
      // An island's example can be its mainland's number.
      const example = getExampleNumber(country, examples);
      if (example?.country !== country || parsePhoneNumber(example.number).country !== country) continue;
      const { number } = example;
      const others = getCountries().filter((each) => each !== country);
      expect({ country, said: refusal(number, others) }).not.toEqual({ country, said: 'may be rung' });
      expect({ country, said: refusal(number, [country]) }).toEqual({
        country,
        said: expect.stringMatching(/^(may be rung|destination-premium)$/),
      });
    }
    expect(refusal('+442079460018', [])).toBe('destination-not-allowed');
  });
});

/** What a number is not: each way to write one that something on the way might read differently. */
const number = '442079460018';
const WRONG = [
  `00${number}`,
  number,
  `+ ${number}`,
  `+44 20 7946 0018`,
  `+44-20-7946-0018`,
  `+44(0)2079460018`,
  `tel:+${number}`,
  `sip:+${number}@evil.example`,
  `+${number}@evil.example`,
  `+${number};ext=9`,
  `+${number};phone-context=evil`,
  `+${number}\r\nX-Evil: 1`,
  `+${number}\n`,
  `\n+${number}`,
  `+${number}\u0000`,
  `+${number}%0d%0a`,
  `+${number},19005551234`,
  `+${number}#`,
  `+${number}*1`,
  `+${number}p1`,
  `＋${number}`,
  `+４４２０７９４６００１８`,
  `+٤٤٢٠٧٩٤٦٠٠١٨`,
  `+44207946００18`,
  `\u200e+${number}`,
  `+\u200b${number}`,
  `+44\u00a02079460018`,
  `++${number}`,
  `+-${number}`,
  '+0442079460018',
  '+',
  '',
  ' ',
  `+${'4'.repeat(16)}`,
  `+${'1'.repeat(1_000)}`,
  '+44a2079460018',
  '+0x1234567',
  '+1e12',
  'anonymous',
  'null',
];

describe('what is no number', () => {
  it.each(WRONG.map((text) => [JSON.stringify(text).slice(0, 40), text]))('%s is refused', (_shown, text) => {
    expect(refusal(text)).toMatch(/^not-(e164|a-number)$/);
  });

  it('is never rung, whatever it is: only a plus and digits of a number that was checked as it stands', () => {
    const countries = getCountries();
    const dressed = fc.tuple(
      fc.constantFrom('', '+', '00', '+00', '＋', ' +', 'sip:+', 'tel:'),
      fc.constantFrom(number, '12025550143', '٤٤٢٠٧٩٤٦٠٠١٨', '４４２０７９４６００１８'),
      fc.constantFrom('', '\r\nVia: x', '@host', ';user=phone', ' ', '\t', '\u0000', 'x1'),
    );
    const digits = fc.stringMatching(/^\+?[0-9]{0,18}$/);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          dressed.map((parts) => parts.join('')),
          digits,
        ),
        (text) => {
          expect(refusal(text, countries) !== 'may be rung' || /^\+[1-9][0-9]{6,14}$/.test(text)).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('of the countries’ own premium ranges is refused, though the country is allowed', () => {
    const premium: Partial<Record<CountryCode, string>> = {
      GB: '+449098790879',
      US: '+19002345678',
      DE: '+499001234567',
      FR: '+33891123456',
      ES: '+34803123456',
      IT: '+39899123456',
      CH: '+41900123456',
      AT: '+43900123456',
    };
    for (const [country, text] of Object.entries(premium))
      expect({ country, said: refusal(text, [country]) }).toEqual({ country, said: 'destination-premium' });
  });
});
