/*
 * Words that others wrote (a vendor's error, a database's) may repeat what we sent them. What looks like a secret, a PIN or a phone number is taken out of every
 * text before it is logged: better a port number too many than one of those.
 */
const HIDDEN: readonly (readonly [form: RegExp, instead: string])[] = [
  [/\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?/g, '[token]'],
  [/\b(?:pl_[a-z]+|plop|whsec)_[\w+/=-]+/g, '[key]'],
  [/\b(Bearer|Basic) +\S+/gi, '$1 [redacted]'],
  // As our secrets are drawn: 32 bytes in base64url or hex. No id of ours is as long.
  [/(?<![\w-])[\w-]{40,}(?![\w-])/g, '[secret]'],
  [/\b\d{3}(?: \d{3}){1,3}\b/g, '[digits]'],
  [/\+?(?<![\w.])\d{6,15}(?!\w)/g, '[digits]'],
];

/** A text without what looks like a secret, a PIN or a phone number. */
export const scrub = (text: string): string =>
  HIDDEN.reduce((rest, [form, instead]) => rest.replace(form, instead), text);
