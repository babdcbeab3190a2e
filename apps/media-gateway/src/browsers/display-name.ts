/**
 * Control and private characters, and marks that change the direction of the text
 * around a name.
 */
const UNSAFE = /[\p{Cc}\p{Cs}\p{Co}\u061C\u200B\u200E\u200F\u202A-\u202E\u2060-\u2069\uFEFF]/gu;

/**
 * Returns a name as others may see it: one line without invisible characters. Null: nothing is left.
 */
export function sanitizeName(name: string | undefined): string | null {
  const clean = (name ?? '').replaceAll(/\s+/gu, ' ').replaceAll(UNSAFE, '').normalize('NFC').trim();
  return clean === '' ? null : clean;
}
