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
 * Checks a number to dial against the numbering plans of libphonenumber. Throws 422 for an invalid
 * number, and 403 for premium, shared-cost, personal, company, pager and voicemail numbers, for
 * numbers without a country (satellite, +800, +979), and for countries that the tenant may not dial.
 * @param phone as it was sent; it is not normalised, so the dialled number is the checked number
 * @param countries permitted countries, ISO 3166-1 alpha-2
 */
export function checkDestination(phone: string, countries: readonly string[]): void {
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
  if (type === undefined || PREMIUM_TYPES.has(type)) throw premiumDestination();
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
    'Premium-rate, shared-cost, personal, company and satellite numbers cannot be dialled.',
    { ...FIELD, fix: 'Dial a standard landline or mobile number, or ask the person to dial in.' },
  );
