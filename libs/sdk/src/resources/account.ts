import { callWith, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import { getLimits, listAudit } from '../generated/sdk.gen.ts';
import type { AuditEntry, AuditPage, Limits, ListAuditData } from '../generated/types.gen.ts';
import { listing, type Listing } from '../listing.ts';

export const account = (client: Client) => ({
  /** How much you may use, and use now. */
  limits: (options?: CallOptions): Promise<Limits> => getLimits({ ...callWith(client, options) }),
  /** Who changed what, and when; newest first. */
  audit: (query: NonNullable<ListAuditData['query']> = {}, options?: CallOptions): Listing<AuditPage, AuditEntry> =>
    listing(
      query,
      (asked) => listAudit({ ...callWith(client, options), query: asked }),
      (page) => page.entries,
    ),
});
