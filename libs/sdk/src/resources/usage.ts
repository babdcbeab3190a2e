import { callWith, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import { getSpend, getUsage, limitRoomSpend, listCdrs } from '../generated/sdk.gen.ts';
import type {
  Cdr,
  CdrPage,
  GetSpendData,
  GetUsageData,
  LimitRoomSpendData,
  ListCdrsData,
  Spend,
  Usage,
} from '../generated/types.gen.ts';
import { listing, type Listing } from '../listing.ts';

/** Money is in millionths of the currency's unit, as text: a number could not hold all of it. */
export const usage = (client: Client) => ({
  /** Seconds and money of connections that are over, summed up. */
  get: (query: NonNullable<GetUsageData['query']> = {}, options?: CallOptions): Promise<Usage> =>
    getUsage({ ...callWith(client, options), query }),
  /** A record for each side of each connection that is over, those that ended last first. */
  records: (query: NonNullable<ListCdrsData['query']> = {}, options?: CallOptions): Listing<CdrPage, Cdr> =>
    listing(
      query,
      (asked) => listCdrs({ ...callWith(client, options), query: asked }),
      (page) => page.cdrs,
    ),
  /** Limits of money and minutes, and how much of each is used now. */
  spend: (query: NonNullable<GetSpendData['query']> = {}, options?: CallOptions): Promise<Spend> =>
    getSpend({ ...callWith(client, options), query }),
  /** What a room may cost, ever; null takes the limit away. */
  limitRoom: (roomId: string, limit: LimitRoomSpendData['body'], options?: CallOptions): Promise<Spend> =>
    limitRoomSpend({ ...callWith(client, options), path: { roomId }, body: limit }),
});
