import { toRequestOptions, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import { listNumbers } from '../generated/sdk.gen.ts';
import type { ListNumbersData, Numbers } from '../generated/types.gen.ts';

export const numbers = (client: Client) => ({
  /** The dial-in numbers of the tenant. */
  list: (query: NonNullable<ListNumbersData['query']> = {}, options?: CallOptions): Promise<Numbers> =>
    listNumbers({ ...toRequestOptions(client, options), query }),
});
