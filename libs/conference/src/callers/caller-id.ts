import { parsePhoneNumberFromString } from 'libphonenumber-js/max';

/**
 * Returns the caller id of a call if it can identify one telephone: an E.164 number of a length
 * that its country has. Its range is not checked, because countries assign new ones. Null for
 * everything else that carriers send: withheld ids, `266696687` ("anonymous" on a keypad), SIP
 * users, and numbers with a national or international prefix. Callers without a caller id share a
 * budget (docs/fraud.md).
 * @param from the number as the provider sent it, with a plus; null when it is not a number
 */
export function toCallerId(from: string | null): string | null {
  if (from === null) return null;
  const number = parsePhoneNumberFromString(from);
  return number?.isPossible() === true && number.number === from ? from : null;
}
