/** A list that the API returns in pages. Iterating over it fetches all pages. */
export interface PagedList<Page, Item> extends AsyncIterable<Item> {
  /** Fetches the first page only; `next` is the `after` of the second. */
  page(): Promise<Page>;
}

/** Creates the list of a query, starting at its `after`. */
export function createPagedList<Query extends { after?: string }, Page extends { readonly next: string | null }, Item>(
  query: Query,
  fetchPage: (query: Query) => Promise<Page>,
  itemsOf: (page: Page) => readonly Item[],
): PagedList<Page, Item> {
  return {
    page: () => fetchPage(query),
    async *[Symbol.asyncIterator]() {
      for (let pageQuery = query; ;) {
        const page = await fetchPage(pageQuery);
        yield* itemsOf(page);
        if (page.next === null) return;
        pageQuery = { ...query, after: page.next };
      }
    },
  };
}
