import { VerdictError } from '@partyline/domain/verdict';
import { isE164 } from '@partyline/domain/phone';
import { parsePhoneNumberFromString, type NumberType } from 'libphonenumber-js/max';

const FIELD = { field: '/phone' };

/** What nobody is rung at: whoever owns such a number earns by each call, or its price depends on where its owner is. */
const COSTLY: ReadonlySet<NumberType> = new Set<NumberType>([
  'PREMIUM_RATE',
  'SHARED_COST',
  'PERSONAL_NUMBER',
  'UAN',
  'PAGER',
  'VOICEMAIL',
]);

/**
 * May this number be rung? By the plan of numbers that libphonenumber keeps: what is no number of any country's is refused (422), and so (403) are premium,
 * shared-cost, personal and company numbers of every country, everything that belongs to no country (satellite telephones, +800, +979 …), and the
 * countries that the tenant is not allowed.
 * @param phone as it was sent: nothing in it is corrected, so what is rung is what was checked
 * @param countries ISO 3166-1 alpha-2
 */
export function checkDestination(phone: string, countries: readonly string[]): void {
  if (!isE164(phone)) {
    throw new VerdictError('client', 'not-e164', 'The phone number is not in E.164 form.', {
      ...FIELD,
      fix: 'Write it with a plus and the country code, for example +442079460018.',
    });
  }
  const number = parsePhoneNumberFromString(phone);
  // Networks that are no country's are told by their code alone: which of their numbers are in use matters to nobody here.
  if (number?.isNonGeographic()) throw costly();
  if (number === undefined || !number.isValid() || number.number !== phone) {
    throw new VerdictError('client', 'not-a-number', 'No country has such a phone number.', {
      ...FIELD,
      fix: 'Check the country code and the number of digits.',
    });
  }
  const type = number.getType();
  if (type === undefined || COSTLY.has(type)) throw costly();
  if (number.country === undefined || !countries.includes(number.country)) {
    throw new VerdictError('client', 'destination-not-allowed', 'Numbers of this country may not be rung for you.', {
      ...FIELD,
      fix: 'Ask the operator to allow the country.',
    });
  }
}

const costly = (): VerdictError =>
  new VerdictError(
    'client',
    'destination-premium',
    'Premium-rate, shared-cost, personal, company and satellite numbers are not rung.',
    { ...FIELD, fix: 'Ring an ordinary fixed or mobile number, or let the person dial in.' },
  );
