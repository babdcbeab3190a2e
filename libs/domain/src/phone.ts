/**
 * Whether a text is an E.164 number: a plus, a country code that does not start with 0, seven to
 * fifteen digits.
 */
export const isE164 = (text: string): boolean => /^\+[1-9]\d{6,14}$/.test(text);

/**
 * Adds the plus that carriers leave out. `null` when the text is not a number (withheld, a SIP
 * user).
 */
export function toE164(text: string | undefined): string | null {
  if (text === undefined) return null;
  const number = text.startsWith('+') ? text : `+${text}`;
  return isE164(number) ? number : null;
}

/**
 * Masks a number for logs and rosters: the first four characters and the last two stay,
 * `+442******34`.
 */
export const maskNumber = (number: string): string =>
  number.length <= 7 ? '***' : number.slice(0, 4) + '*'.repeat(number.length - 6) + number.slice(-2);
