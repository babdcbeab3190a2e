import { VerdictError } from '@partyline/domain/verdict';
import fc from 'fast-check';
import { getCountries, getExampleNumber, parsePhoneNumber, type CountryCode } from 'libphonenumber-js/max';
import examples from 'libphonenumber-js/mobile/examples';
import { describe, expect, it } from 'vitest';
import { checkDestination, TRAFFIC_PUMPING_PREFIXES } from './check-destination.ts';

const check = (phone: string, countries: readonly string[] = ['GB', 'US']): string => {
  try {
    checkDestination(phone, countries);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof VerdictError) || error.fix === undefined || error.field !== '/phone') throw error;
    return error.verdict.reason;
  }
};

describe('checkDestination with a number', () => {
  it.each([
    ['+442079460018', 'accepted'],
    ['+12025550143', 'accepted'],
    ['+448001234567', 'accepted'],
    ['+18005551234', 'destination-premium'], // toll-free behind +1
    ['+18335551234', 'destination-premium'],
    ['+12129761234', 'destination-premium'], // pay-per-call in every area code
    ['+12129501234', 'destination-premium'],
    ['+12125551212', 'destination-premium'], // directory assistance in every area code
    ['+12125551213', 'accepted'],
    ['+19765551234', 'not-a-number'],
    ['+17124321234', 'destination-premium'], // traffic pumping
    ['+16054751234', 'destination-premium'],
    ['+17124331234', 'accepted'],
    ['+61147123456', 'destination-premium'], // satellite within a country
    ['+79541234567', 'destination-premium'],
    ['+77511234567', 'destination-premium'],
    ['+8613491234567', 'destination-premium'],
    ['+8617401234567', 'destination-premium'],
    ['+79161234567', 'destination-not-allowed'],
    ['+4930555010', 'destination-not-allowed'],
    ['+18765551234', 'destination-not-allowed'], // Jamaica, behind +1
    ['+441534456789', 'destination-not-allowed'], // Jersey, behind +44
    ['+19005551234', 'destination-premium'],
    ['+448712345678', 'destination-premium'],
    ['+443331234567', 'destination-premium'], // company number
    ['+447012345678', 'destination-premium'], // personal number
    ['+15005550006', 'destination-premium'],
    ['+870773110000', 'destination-premium'], // satellite
    ['+881612345678', 'destination-premium'],
    ['+882161234567', 'destination-premium'],
    ['+88310012345', 'destination-premium'],
    ['+80012345678', 'destination-premium'],
    ['+97912345678', 'destination-premium'],
    ['+15550100', 'not-a-number'],
    ['+447700900001', 'not-a-number'], // reserved for drama
    ['+99912345678', 'not-a-number'],
    ['+10000000000', 'not-a-number'],
  ])('%s: %s', (phone, result) => {
    expect(check(phone)).toBe(result);
  });

  it('rejects the costly ranges whatever digits follow, and accepts no longer or shorter number instead', () => {
    const areaCode = fc.constantFrom('212', '305', '415', '702', '808');
    const digits = (length: number) => fc.stringMatching(new RegExp(`^[0-9]{${length}}$`));
    const range = fc.oneof(
      fc.tuple(areaCode, digits(4)).map(([area, rest]) => `+1${area}976${rest}`),
      areaCode.map((area) => `+1${area}5551212`),
      fc
        .tuple(fc.constantFrom('800', '833', '844', '855', '866', '877', '888'), digits(7))
        .map((n) => `+1${n.join('')}`),
      digits(6).map((rest) => `+61147${rest}`),
      digits(7).map((rest) => `+7954${rest}`),
      fc.tuple(fc.constantFrom(...TRAFFIC_PUMPING_PREFIXES), digits(4)).map(([prefix, rest]) => prefix + rest),
    );
    fc.assert(
      fc.property(range, fc.integer({ min: -2, max: 2 }), (phone, more) => {
        const given = more < 0 ? phone.slice(0, more) : phone + '0'.repeat(more);
        expect(check(given, getCountries())).not.toBe('accepted');
      }),
      { numRuns: 1_000 },
    );
  });

  it('rejects the prefixes that the operator configured, and only these', () => {
    const rejects = (prefixes: readonly string[]): boolean => {
      try {
        checkDestination('+17124321234', ['US'], prefixes);
        return false;
      } catch {
        return true;
      }
    };
    expect([rejects([]), rejects(['+1605475']), rejects(['+1605475', '+1712'])]).toEqual([false, false, true]);
  });

  it('accepts numbers of permitted countries only', () => {
    for (const country of getCountries()) {
      // The example of an island can be a number of its mainland.
      const example = getExampleNumber(country, examples);
      if (example?.country !== country || parsePhoneNumber(example.number).country !== country) continue;
      const { number } = example;
      const others = getCountries().filter((other) => other !== country);
      expect({ country, result: check(number, others) }).not.toEqual({ country, result: 'accepted' });
      expect({ country, result: check(number, [country]) }).toEqual({
        country,
        result: expect.stringMatching(/^(accepted|destination-premium)$/),
      });
    }
    expect(check('+442079460018', [])).toBe('destination-not-allowed');
  });
});

/** Invalid spellings of a number, which other software on the path might interpret differently. */
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

describe('checkDestination with an invalid number', () => {
  it.each(WRONG.map((text) => [JSON.stringify(text).slice(0, 40), text]))('rejects %s', (_shown, text) => {
    expect(check(text)).toMatch(/^not-(e164|a-number)$/);
  });

  it('accepts only a plus followed by digits, for arbitrary input', () => {
    const countries = getCountries();
    const decorated = fc.tuple(
      fc.constantFrom('', '+', '00', '+00', '＋', ' +', 'sip:+', 'tel:'),
      fc.constantFrom(number, '12025550143', '٤٤٢٠٧٩٤٦٠٠١٨', '４４２０７９４６００１８'),
      fc.constantFrom('', '\r\nVia: x', '@host', ';user=phone', ' ', '\t', '\u0000', 'x1'),
    );
    const digits = fc.stringMatching(/^\+?[0-9]{0,18}$/);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          decorated.map((parts) => parts.join('')),
          digits,
        ),
        (text) => {
          expect(check(text, countries) !== 'accepted' || /^\+[1-9][0-9]{6,14}$/.test(text)).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('rejects national premium numbers of permitted countries', () => {
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
      expect({ country, result: check(text, [country]) }).toEqual({ country, result: 'destination-premium' });
  });
});
