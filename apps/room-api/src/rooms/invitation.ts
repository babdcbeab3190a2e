import { formatPin } from '@partyline/domain/pin';

const WORDS = {
  en: { phone: 'Phone', pin: 'PIN', hash: 'then the hash key', tap: 'One tap' },
  de: { phone: 'Telefon', pin: 'PIN', hash: 'dann die Rautetaste', tap: 'Mit einem Tipp' },
  fr: { phone: 'Téléphone', pin: 'Code', hash: 'puis la touche dièse', tap: 'En un geste' },
  es: { phone: 'Teléfono', pin: 'Código', hash: 'y la tecla almohadilla', tap: 'Con un toque' },
} as const;

/** Dials the number, waits twice (each comma is a pause of about two seconds, for the greeting), and keys the PIN with its hash key. */
export const tapToCall = (number: string, pin: string): string => `tel:${number},,${pin}#`;

/**
 * A few lines to send to people. Every line stands by itself, since mail clients and calendars reflow text as they like.
 * @param language BCP 47, of the number; one that is not here gets English
 */
export function invitation({
  name,
  number,
  pin,
  language,
}: {
  name: string;
  number: string;
  pin: string;
  language: string;
}): string {
  const words = WORDS[language.split('-')[0] as keyof typeof WORDS] ?? WORDS.en;
  return [
    name,
    `${words.phone}: ${number}`,
    `${words.pin}: ${formatPin(pin)} # (${words.hash})`,
    `${words.tap}: ${tapToCall(number, pin)}`,
  ].join('\n');
}
