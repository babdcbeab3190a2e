/** A list that the API gives page by page. */
export interface PagedList<Page, Item> extends AsyncIterable<Item> {
  /** The first page, with the `next` that leads on. */
  page(): Promise<Page>;
}

/** The list that a query asks for, from its `after` on. @param fetchPage asks for one page */
export function createPagedList<Query extends { after?: string }, Page extends { readonly next: string | null }, Item>(
  query: Query,
  fetchPage: (query: Query) => Promise<Page>,
  itemsOf: (page: Page) => readonly Item[],
): PagedList<Page, Item> {
  return {
    page: () => fetchPage(query),
    async *[Symbol.asyncIterator]() {
      for (let asked = query; ;) {
        const page = await fetchPage(asked);
        yield* itemsOf(page);
        if (page.next === null) return;
        asked = { ...query, after: page.next };
      }
    },
  };
}
