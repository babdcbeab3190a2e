import { toRequestOptions, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import { listHangUps } from '../generated/sdk.gen.ts';
import type { HangUpLine, HangUpPage, ListHangUpsData } from '../generated/types.gen.ts';
import { createPagedList, type PagedList } from '../paged-list.ts';

export const hangUps = (client: Client) => ({
  /** The ledger of all your connections, those owed last first. */
  list: (query: NonNullable<ListHangUpsData['query']> = {}, options?: CallOptions): PagedList<HangUpPage, HangUpLine> =>
    createPagedList(
      query,
      (asked) => listHangUps({ ...toRequestOptions(client, options), query: asked }),
      (page) => page.hangUps,
    ),
});
