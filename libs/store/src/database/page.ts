/** The last row of the page before, in a list that is newest first. */
interface PageEnd {
  readonly id: string;
  readonly created_at: Date;
}

/**
 * A Prisma filter for the rows after `last` in a list that is newest first, with the id as
 * tie-breaker. It compares values because the row itself may have left the list: Prisma's own
 * cursor would then start at the next row and skip it.
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

/**
 * A Prisma filter for rows created in [from, before). Prisma reads an undefined bound as no
 * condition.
 */
export const createdBetween = (from: Date | undefined, before: Date | undefined) =>
  from === undefined && before === undefined
    ? {}
    : { created_at: { ...(from === undefined ? {} : { gte: from }), ...(before === undefined ? {} : { lt: before }) } };
