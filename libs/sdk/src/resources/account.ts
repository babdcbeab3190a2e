import { toRequestOptions, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import { getLimits, listAudit } from '../generated/sdk.gen.ts';
import type { AuditEntry, AuditPage, Limits, ListAuditData } from '../generated/types.gen.ts';
import { createPagedList, type PagedList } from '../paged-list.ts';

export const account = (client: Client) => ({
  /** How much you may use, and use now. */
  limits: (options?: CallOptions): Promise<Limits> => getLimits({ ...toRequestOptions(client, options) }),
  /** Who changed what, and when; newest first. */
  audit: (query: NonNullable<ListAuditData['query']> = {}, options?: CallOptions): PagedList<AuditPage, AuditEntry> =>
    createPagedList(
      query,
      (asked) => listAudit({ ...toRequestOptions(client, options), query: asked }),
      (page) => page.entries,
    ),
});
