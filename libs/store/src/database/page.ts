/** Where a page that is newest first ended: its last row. */
interface PageEnd {
  readonly id: string;
  readonly created_at: Date;
}

/**
 * What comes after a row on a list that is newest first; of what was made at the same instant the id decides. By where the row stood and not by the row, which need not
 * be on the list any more (Prisma's own cursor takes the next row for it, and skips that).
 */
export const olderThan = (last: PageEnd | undefined) =>
  last === undefined
    ? {}
    : {
        AND: [
          { created_at: { lte: last.created_at } },
          { OR: [{ created_at: { lt: last.created_at } }, { id: { lt: last.id } }] },
        ],
      };

/** Only what is asked for: Prisma takes an undefined for no condition. */
export const createdBetween = (from: Date | undefined, before: Date | undefined) =>
  from === undefined && before === undefined
    ? {}
    : { created_at: { ...(from === undefined ? {} : { gte: from }), ...(before === undefined ? {} : { lt: before }) } };
