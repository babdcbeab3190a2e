/** A number in E.164: a plus, a country code that does not start with 0, at most fifteen digits in all. */
export const isE164 = (text: string): boolean => /^\+[1-9]\d{6,14}$/.test(text);

/** Carriers send numbers without the plus; inside Partyline they always have it. `null` when it is no number (withheld, SIP user). */
export function toE164(text: string | undefined): string | null {
  if (text === undefined) return null;
  const number = text.startsWith('+') ? text : `+${text}`;
  return isE164(number) ? number : null;
}

/** For logs and rosters: the first four characters and the last two, `+442******34`. */
export const maskNumber = (number: string): string =>
  number.length <= 7 ? '***' : number.slice(0, 4) + '*'.repeat(number.length - 6) + number.slice(-2);
