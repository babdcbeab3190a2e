/**
 * A page of a list: of these rows, one more than it shows, the first `limit`, and what the next page is asked for by; null on the last. That there is one more tells
 * that there is a next.
 * @param placeOf what names a row as a place in the list
 */
export function pageOf<Row>(
  rows: readonly Row[],
  limit: number,
  placeOf: (row: Row) => string,
): { readonly shown: readonly Row[]; readonly next: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { shown, next: rows.length > limit && last !== undefined ? placeOf(last) : null };
}
