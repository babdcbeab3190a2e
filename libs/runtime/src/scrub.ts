/*
 * Error texts of a provider or a database can repeat what we sent. Everything that looks like a
 * secret, a PIN or a phone number is removed before logging, even if that also removes a harmless
 * number.
 */
const SCRUB_RULES: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?/g, '[token]'],
  [/\b(?:pl_[a-z]+|plop|plst|whsec)_[\w+/=-]+/g, '[key]'],
  [/\b(Bearer|Basic) +\S+/gi, '$1 [redacted]'],
  // Our secrets have 32 bytes in base64url or hex. Our ids are shorter.
  [/(?<![\w-])[\w-]{40,}(?![\w-])/g, '[secret]'],
  [/\b\d{3}(?: \d{3}){1,3}\b/g, '[digits]'],
  [/\+?(?<![\w.])\d{6,15}(?!\w)/g, '[digits]'],
];

/** Removes everything that looks like a secret, a PIN or a phone number. */
export const scrub = (text: string): string =>
  SCRUB_RULES.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text);
