import { callWith, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import { listHangUps } from '../generated/sdk.gen.ts';
import type { HangUpLine, HangUpPage, ListHangUpsData } from '../generated/types.gen.ts';
import { listing, type Listing } from '../listing.ts';

export const hangUps = (client: Client) => ({
  /** The ledger of all your connections, those owed last first. */
  list: (query: NonNullable<ListHangUpsData['query']> = {}, options?: CallOptions): Listing<HangUpPage, HangUpLine> =>
    listing(
      query,
      (asked) => listHangUps({ ...callWith(client, options), query: asked }),
      (page) => page.hangUps,
    ),
});
