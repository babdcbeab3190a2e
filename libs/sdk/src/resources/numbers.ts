import { toRequestOptions, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import { listNumbers } from '../generated/sdk.gen.ts';
import type { ListNumbersData, Numbers } from '../generated/types.gen.ts';

export const numbers = (client: Client) => ({
  /** The numbers that your callers may dial. */
  list: (query: NonNullable<ListNumbersData['query']> = {}, options?: CallOptions): Promise<Numbers> =>
    listNumbers({ ...toRequestOptions(client, options), query }),
});
