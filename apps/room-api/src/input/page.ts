/**
 * A page of a list. `rows` has up to one row more than `limit`: that row shows that a next page
 * exists.
 * @param cursorOf gives the `after` of the page that follows a row
 */
export function toPage<Row>(
  rows: readonly Row[],
  limit: number,
  cursorOf: (row: Row) => string,
): { readonly shown: readonly Row[]; readonly next: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { shown, next: rows.length > limit && last !== undefined ? cursorOf(last) : null };
}
