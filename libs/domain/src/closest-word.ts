/**
 * The number of single edits between two words: insert, delete or replace a character, or swap two
 * neighbours.
 */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        rows[i - 1]![j]! + 1,
        row[j - 1]! + 1,
        rows[i - 1]![j - 1]! + (isSame ? 0 : 1),
        isSwap ? rows[i - 2]![j - 2]! + 1 : Infinity,
      );
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/**
 * Names differ in case and separators between languages: `max_participants` means
 * `maxParticipants`.
 */
const normalize = (word: string): string => word.toLowerCase().replaceAll(/[_\-\s]/g, '');

const MAX_WORD_LENGTH = 64;

/**
 * The candidate that a mistyped word most probably means; null if none is close, up to a third of
 * its letters.
 */
export function closestWord(word: string, candidates: readonly string[]): string | null {
  const wanted = normalize(word);
  if (wanted === '' || wanted.length > MAX_WORD_LENGTH) return null;
  let closest: { readonly candidate: string; readonly distance: number } | null = null;
  for (const candidate of candidates) {
    const name = normalize(candidate);
    // A word that is cut off, or has a unit too many: `aloneSecond`, `name` of `hostName` is not
    // one.
    const isPrefix = Math.min(name.length, wanted.length) >= 5 && (name.startsWith(wanted) || wanted.startsWith(name));
    const distance = isPrefix ? 1 : editDistance(wanted, name);
    if (distance <= Math.max(1, Math.floor(name.length / 3)) && (closest === null || distance < closest.distance))
      closest = { candidate, distance };
  }
  return closest?.candidate ?? null;
}
