import { toRequestOptions, type CallOptions } from '../call.ts';
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
import { createPagedList, type PagedList } from '../paged-list.ts';

/** Money is in millionths of the currency's unit, as text: a number could not hold all of it. */
export const usage = (client: Client) => ({
  /** Seconds and money of connections that are over, summed up. */
  get: (query: NonNullable<GetUsageData['query']> = {}, options?: CallOptions): Promise<Usage> =>
    getUsage({ ...toRequestOptions(client, options), query }),
  /** A record for each side of each connection that is over, those that ended last first. */
  records: (query: NonNullable<ListCdrsData['query']> = {}, options?: CallOptions): PagedList<CdrPage, Cdr> =>
    createPagedList(
      query,
      (asked) => listCdrs({ ...toRequestOptions(client, options), query: asked }),
      (page) => page.cdrs,
    ),
  /** Limits of money and minutes, and how much of each is used now. */
  spend: (query: NonNullable<GetSpendData['query']> = {}, options?: CallOptions): Promise<Spend> =>
    getSpend({ ...toRequestOptions(client, options), query }),
  /** What a room may cost, ever; null takes the limit away. */
  limitRoom: (roomId: string, limit: LimitRoomSpendData['body'], options?: CallOptions): Promise<Spend> =>
    limitRoomSpend({ ...toRequestOptions(client, options), path: { roomId }, body: limit }),
});
