import { getCountryCallingCode, isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { VerdictError } from './verdict.ts';

/**
 * The country of a number and whether its calls are free, by the numbering plans of libphonenumber.
 * `country` is null for a number of no country or of no known range.
 */
export function describeNumber(e164: string): { readonly country: string | null; readonly toll_free: boolean } {
  const number = parsePhoneNumberFromString(e164);
  return { country: number?.country ?? null, toll_free: number?.getType() === 'TOLL_FREE' };
}

/** Throws 422 for a country whose calling code is not the number's. */
export function assertCountryOfNumber(e164: string, country: string | null): void {
  const number = parsePhoneNumberFromString(e164);
  if (country === null || number === undefined || !isSupportedCountry(country)) return;
  if (getCountryCallingCode(country) === number.countryCallingCode) return;
  throw new VerdictError(
    'client',
    'invalid-body',
    `The number has the calling code +${number.countryCallingCode}, and ${country} has +${getCountryCallingCode(country)}.`,
    { field: '/country', fix: 'Leave out country: it is inferred from the number.' },
  );
}
