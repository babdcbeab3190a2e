import { toRequestOptions, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import { getLimits, listAudit } from '../generated/sdk.gen.ts';
import type { AuditEntry, AuditPage, Limits, ListAuditData } from '../generated/types.gen.ts';
import { createPagedList, type PagedList } from '../paged-list.ts';

export const account = (client: Client) => ({
  /** The limits and their current use. */
  limits: (options?: CallOptions): Promise<Limits> => getLimits({ ...toRequestOptions(client, options) }),
  /** The changes made by keys and operators, newest first. */
  audit: (query: NonNullable<ListAuditData['query']> = {}, options?: CallOptions): PagedList<AuditPage, AuditEntry> =>
    createPagedList(
      query,
      (pageQuery) => listAudit({ ...toRequestOptions(client, options), query: pageQuery }),
      (page) => page.entries,
    ),
});
