import type { Tx } from '../database/store.ts';

/**
 * Whether a webhook of a tenant's account may open the leg of a browser. The tenant can sign
 * webhooks for any number of connections that do not exist (docs/accounts.md), so these are limited
 * as calls are (prisma/functions/callers/is_account_busy.sql): connections whose hang-up is
 * unconfirmed, those of the last hour that the provider's lists lacked, and all of the last hour. A
 * connection that is not accepted gets its leg from the next inventory, if it exists. Without a
 * lock: concurrent transactions can exceed a limit by one each.
 */
export async function guardConnection(
  tx: Tx,
  tenantId: string,
  accountId: string,
): Promise<'accepted' | 'account-busy' | 'tenant-suspended'> {
  const { rows } = await tx.query<{ suspended: boolean; busy: boolean }>({
    name: 'guard-connection',
    // A hang-up of an old connection is counted after a minute: many end together with a session.
    text: `SELECT t.suspended_at IS NOT NULL AS suspended,
             unconfirmed.n + recent.missing >= max_unseen_calls() OR recent.n >= max_legs_per_hour() AS busy
           FROM tenant t,
             LATERAL (
               SELECT count(*) AS n
               FROM leg l
               WHERE l.tenant_id = t.id AND l.account_id = $2 AND l.kind = 'webrtc' AND l.state = 'ending'
                 AND (l.hangup_requested_at < now() - interval '1 minute' OR l.created_at > now() - interval '1 minute')
             ) AS unconfirmed,
             LATERAL (
               SELECT count(*) AS n,
                 count(*) FILTER (WHERE l.state = 'ended' AND l.media_missing_since IS NOT NULL) AS missing
               FROM leg l
               WHERE l.tenant_id = t.id AND l.account_id = $2 AND l.kind = 'webrtc'
                 AND l.created_at > now() - interval '1 hour'
             ) AS recent
           WHERE t.id = $1`,
    values: [tenantId, accountId],
  });
  const found = rows[0]!;
  return found.suspended ? 'tenant-suspended' : found.busy ? 'account-busy' : 'accepted';
}
