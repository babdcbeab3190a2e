import { toRequestOptions, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import { listHangUps } from '../generated/sdk.gen.ts';
import type { HangUpEntry, HangUpPage, ListHangUpsData } from '../generated/types.gen.ts';
import { createPagedList, type PagedList } from '../paged-list.ts';

export const hangUps = (client: Client) => ({
  /** The hang-up ledger of all connections, latest request first. */
  list: (
    query: NonNullable<ListHangUpsData['query']> = {},
    options?: CallOptions,
  ): PagedList<HangUpPage, HangUpEntry> =>
    createPagedList(
      query,
      (pageQuery) => listHangUps({ ...toRequestOptions(client, options), query: pageQuery }),
      (page) => page.hangUps,
    ),
});
