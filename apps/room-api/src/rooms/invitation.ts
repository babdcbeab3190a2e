import { formatPin } from '@partyline/domain/pin';

const LABELS = {
  en: { phone: 'Phone', pin: 'PIN', hash: 'then the hash key', tap: 'One tap' },
  de: { phone: 'Telefon', pin: 'PIN', hash: 'dann die Rautetaste', tap: 'Mit einem Tipp' },
  fr: { phone: 'Téléphone', pin: 'Code', hash: 'puis la touche dièse', tap: 'En un geste' },
  es: { phone: 'Teléfono', pin: 'Código', hash: 'y la tecla almohadilla', tap: 'Con un toque' },
} as const;

/**
 * A link that dials the number and enters the PIN. Each comma is a pause of about 2 s, for the
 * greeting. It has no hash key: iOS does not dial a link that contains `#` or `*`, raw or encoded
 * (Apple URL Scheme Reference, Phone Links), and in a URI for Android's dialler a raw `#` starts
 * the fragment (RFC 3986), which is not dialled. The digit time-out, or the twelfth digit, ends the
 * PIN.
 */
export const tapToCallLink = (number: string, pin: string): string => `tel:${number},,${pin}`;

/**
 * The invitation text. Every line is complete in itself, because mail clients and calendars reflow
 * text.
 * @param language BCP 47; an unknown language gets English
 */
export function writeInvitation({
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
  const labels = LABELS[language.split('-')[0] as keyof typeof LABELS] ?? LABELS.en;
  return [
    name,
    `${labels.phone}: ${number}`,
    `${labels.pin}: ${formatPin(pin)} # (${labels.hash})`,
    `${labels.tap}: ${tapToCallLink(number, pin)}`,
  ].join('\n');
}
