/** A list that the API gives page by page. */
export interface Listing<Page, Item> extends AsyncIterable<Item> {
  /** The first page, with the `next` that leads on. */
  page(): Promise<Page>;
}

/** @param fetchPage gives the page after `after`, or the first */
export function listing<Page extends { readonly next: string | null }, Item>(fetchPage: (after: string | undefined) => Promise<Page>, itemsOf: (page: Page) => readonly Item[]): Listing<Page, Item> {
  return {
    page: () => fetchPage(undefined),
    async *[Symbol.asyncIterator]() {
      let after: string | undefined;
      for (;;) {
        const page = await fetchPage(after);
        yield* itemsOf(page);
        if (page.next === null) return;
        after = page.next;
      }
    },
  };
}
