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

/** The reply is text; the generated type is that of the JSON reply. */
const toCsvOptions = (client: Client, options?: CallOptions) => {
  const { headers, ...rest } = toRequestOptions(client, options);
  return { ...rest, headers: { ...headers, accept: 'text/csv' }, parseAs: 'text' as const };
};

/** Amounts are strings of millionths of the currency unit, since a number would lose precision. */
export const usage = (client: Client) => ({
  /** Total seconds and prices of ended connections. */
  get: (query: NonNullable<GetUsageData['query']> = {}, options?: CallOptions): Promise<Usage> =>
    getUsage({ ...toRequestOptions(client, options), query }),
  /** Call detail records: one for each handle of an ended connection, latest end first. */
  records: (query: NonNullable<ListCdrsData['query']> = {}, options?: CallOptions): PagedList<CdrPage, Cdr> =>
    createPagedList(
      query,
      (pageQuery) => listCdrs({ ...toRequestOptions(client, options), query: pageQuery }),
      (page) => page.cdrs,
    ),
  /** `get` as a CSV table. */
  csv: (query: NonNullable<GetUsageData['query']> = {}, options?: CallOptions): Promise<string> =>
    getUsage({ ...toCsvOptions(client, options), query }) as Promise<unknown> as Promise<string>,
  /** All records of the filter as a CSV table, without pages. */
  recordsCsv: (query: NonNullable<ListCdrsData['query']> = {}, options?: CallOptions): Promise<string> =>
    listCdrs({ ...toCsvOptions(client, options), query }) as Promise<unknown> as Promise<string>,
  /** The limits of spend and minutes, and their current use. */
  spend: (query: NonNullable<GetSpendData['query']> = {}, options?: CallOptions): Promise<Spend> =>
    getSpend({ ...toRequestOptions(client, options), query }),
  /** Limits the total spend of a room; null removes the limit. */
  limitRoom: (roomId: string, limit: LimitRoomSpendData['body'], options?: CallOptions): Promise<Spend> =>
    limitRoomSpend({ ...toRequestOptions(client, options), path: { roomId }, body: limit }),
});
