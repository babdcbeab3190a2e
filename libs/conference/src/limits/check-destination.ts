import { VerdictError } from '@partyline/domain/verdict';
import { isE164 } from '@partyline/domain/phone';
import { parsePhoneNumberFromString, type NumberType } from 'libphonenumber-js/max';

const FIELD = { field: '/phone' };

/**
 * Number types that are never dialled: the owner earns from each call, or the price depends on the
 * owner's location.
 */
const PREMIUM_TYPES: ReadonlySet<NumberType> = new Set<NumberType>([
  'PREMIUM_RATE',
  'SHARED_COST',
  'PERSONAL_NUMBER',
  'UAN',
  'PAGER',
  'VOICEMAIL',
]);

/**
 * Ranges inside ordinary numbering plans that libphonenumber takes for fixed or mobile numbers:
 * premium and paid services, and satellite networks. Sources: NANPA (976, 950 and 555-1212 in every
 * area code), ACMA (+61 147), Rossvyaz (+7 954), the Kazakh plan (+7 750, 751), MIIT (+86 1349,
 * 174).
 */
const COSTLY_RANGES: readonly RegExp[] = [
  /^\+1\d{3}(?:976|950)/,
  /^\+1\d{3}5551212$/,
  /^\+61147/,
  /^\+7954/,
  /^\+775[01]/,
  /^\+86(?:1349|1740[0-5])/,
];

/**
 * Area codes and exchanges of the United States whose operators share the termination fee with
 * conference and chat services (47 CFR 61.3(bbb), access stimulation), as far as publicly known.
 * `BLOCKED_DESTINATIONS` replaces the list.
 */
export const TRAFFIC_PUMPING_PREFIXES: readonly string[] = [
  '+1218339',
  '+1218862',
  '+1605475',
  '+1605477',
  '+1605562',
  '+1641715',
  '+1641793',
  '+1701801',
  '+1712432',
  '+1712451',
  '+1712770',
  '+1712775',
  '+1712832',
];

/**
 * Checks a number to dial against the numbering plans of libphonenumber. Throws 422 for an invalid
 * number, and 403 for premium, shared-cost, personal, company, pager and voicemail numbers, for
 * toll-free numbers behind +1 (their owner pays the caller's carrier, a known fraud), for numbers
 * without a country and satellite ranges within one, for blocked prefixes, and for countries that
 * the tenant may not dial.
 * @param phone as it was sent; it is not normalised, so the dialled number is the checked number
 * @param countries permitted countries, ISO 3166-1 alpha-2
 * @param blockedPrefixes E.164 prefixes that nobody may dial
 */
export function checkDestination(
  phone: string,
  countries: readonly string[],
  blockedPrefixes: readonly string[] = TRAFFIC_PUMPING_PREFIXES,
): void {
  if (!isE164(phone)) {
    throw new VerdictError('client', 'not-e164', 'The phone number is not in E.164 form.', {
      ...FIELD,
      fix: 'Write it with a plus and the country code, for example +442079460018.',
    });
  }
  const number = parsePhoneNumberFromString(phone);
  // Numbers of international networks are rejected by their code alone, whether valid or not.
  if (number?.isNonGeographic()) throw premiumDestination();
  if (number === undefined || !number.isValid() || number.number !== phone) {
    throw new VerdictError('client', 'not-a-number', 'The phone number is not valid in any country.', {
      ...FIELD,
      fix: 'Check the country code and the number of digits.',
    });
  }
  const type = number.getType();
  const isCostly =
    type === undefined ||
    PREMIUM_TYPES.has(type) ||
    (type === 'TOLL_FREE' && number.countryCallingCode === '1') ||
    COSTLY_RANGES.some((range) => range.test(phone)) ||
    blockedPrefixes.some((prefix) => phone.startsWith(prefix));
  if (isCostly) throw premiumDestination();
  if (number.country === undefined || !countries.includes(number.country)) {
    throw new VerdictError('client', 'destination-not-allowed', 'You may not dial numbers in this country.', {
      ...FIELD,
      fix: 'Ask the operator to allow the country.',
    });
  }
}

const premiumDestination = (): VerdictError =>
  new VerdictError(
    'client',
    'destination-premium',
    'Premium-rate, shared-cost, personal, company, satellite and blocked numbers cannot be dialled.',
    { ...FIELD, fix: 'Dial a standard landline or mobile number, or ask the person to dial in.' },
  );

/**
 * A room that dials its own number, or another room's, holds two legs for hours with nobody in it.
 */
export const dialInDestination = (): VerdictError =>
  new VerdictError('client', 'destination-is-dial-in', 'This is a dial-in number, which cannot be dialled.', {
    ...FIELD,
    fix: "Dial the person's own number.",
  });
