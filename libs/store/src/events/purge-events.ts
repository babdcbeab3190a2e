import { EVERY_TENANT, inTransaction, type Store } from '../database/store.ts';
import { EVENT_RETENTION_INTERVAL } from './outbox.ts';

/* Platform-wide: expired events of all tenants are purged alike. */

/** The events and deliveries of a session are retained until it has ended. */
const hasNotEnded = (session: string): string =>
  `EXISTS (SELECT FROM session s WHERE s.id = ${session} AND s.state <> 'ended')`;
/** Through the endpoint, for the index. A delivery without an endpoint is never sent. */
const HAS_DELIVERY = `EXISTS (
  SELECT FROM endpoint e JOIN delivery d ON d.endpoint_id = e.id AND d.event_id = o.id WHERE e.tenant_id = o.tenant_id
)`;

/**
 * Deletes one batch of at most `limit` deliveries that have been done for
 * `EVENT_RETENTION_INTERVAL`, with their attempts, and one of events of that age without a
 * delivery. Retains everything of a session that has not ended. Returns both counts. Safe to run
 * concurrently.
 */
export async function purgeEvents(store: Store, limit: number): Promise<{ deliveries: number; events: number }> {
  const deliveries = await store.query(EVERY_TENANT, {
    name: 'purge-deliveries',
    text: `WITH expired AS (
             SELECT d.id
             FROM delivery d
             WHERE d.done_at < now() - ${EVENT_RETENTION_INTERVAL} AND NOT ${hasNotEnded('d.stream')}
             ORDER BY d.done_at
             LIMIT $1
             FOR UPDATE OF d SKIP LOCKED
           )
           DELETE FROM delivery d
           USING expired
           WHERE d.id = expired.id`,
    values: [limit],
  });
  const events = await inTransaction(store, EVERY_TENANT, async (tx) => {
    const { rows } = await tx.query<{ id: string }>({
      name: 'lock-old-events',
      text: `SELECT o.id
             FROM outbox o
             WHERE o.created_at < now() - ${EVENT_RETENTION_INTERVAL}
               AND NOT ${hasNotEnded('o.session_id')}
               AND NOT ${HAS_DELIVERY}
             ORDER BY o.created_at
             LIMIT $1
             FOR UPDATE OF o SKIP LOCKED`,
      values: [limit],
    });
    if (rows.length === 0) return 0;
    // A second statement sees the deliveries of a replay that committed before the events were
    // locked.
    const { rowCount } = await tx.query({
      name: 'purge-events',
      text: `DELETE FROM outbox o WHERE o.id = ANY($1) AND NOT ${HAS_DELIVERY}`,
      values: [rows.map(({ id }) => id)],
    });
    return rowCount ?? 0;
  });
  return { deliveries: deliveries.rowCount ?? 0, events };
}
