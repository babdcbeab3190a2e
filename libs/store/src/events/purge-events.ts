import { RETAINED_FOR } from './outbox.ts';
import { EVERY_TENANT, inTransaction, type Store } from '../database/store.ts';

/* Platform-wide: what is old is old whoever's it is. */

/** What is being held, or owed, of a session: nothing of it goes before it has ended. */
const hasNotEnded = (session: string): string =>
  `EXISTS (SELECT FROM session s WHERE s.id = ${session} AND s.state <> 'ended')`;
const OLD_DELIVERIES = `SELECT d.id FROM delivery d WHERE d.done_at < now() - ${RETAINED_FOR} AND NOT ${hasNotEnded('d.stream')} ORDER BY d.done_at LIMIT $1 FOR UPDATE OF d SKIP LOCKED`;
/** Through the endpoint, which is how deliveries are indexed; one whose endpoint is gone is sent nowhere. */
const HAS_DELIVERY =
  'EXISTS (SELECT FROM endpoint e JOIN delivery d ON d.endpoint_id = e.id AND d.event_id = o.id WHERE e.tenant_id = o.tenant_id)';

/**
 * Deletes what has served: deliveries that have been done for `KEPT`, with their attempts, and events as old that no delivery names, done or not; at most `limit` of
 * either. Nothing of a session that has not ended. Gives how many of the one and the other, so that whoever asks may ask again. Several may ask at once.
 */
export async function purgeEvents(store: Store, limit: number): Promise<{ deliveries: number; events: number }> {
  const deliveries = await store.query(EVERY_TENANT, {
    name: 'purge-deliveries',
    text: `WITH old AS (${OLD_DELIVERIES}) DELETE FROM delivery d USING old WHERE d.id = old.id`,
    values: [limit],
  });
  const events = await inTransaction(store, EVERY_TENANT, async (tx) => {
    const { rows } = await tx.query<{ id: string }>({
      name: 'lock-old-events',
      text: `SELECT o.id FROM outbox o WHERE o.created_at < now() - ${RETAINED_FOR} AND NOT ${hasNotEnded('o.session_id')} AND NOT ${HAS_DELIVERY} ORDER BY o.created_at LIMIT $1 FOR UPDATE OF o SKIP LOCKED`,
      values: [limit],
    });
    if (rows.length === 0) return 0;
    // A statement of its own: it sees the deliveries of a replay that had the events before they were held.
    const { rowCount } = await tx.query({
      name: 'purge-events',
      text: `DELETE FROM outbox o WHERE o.id = ANY($1) AND NOT ${HAS_DELIVERY}`,
      values: [rows.map(({ id }) => id)],
    });
    return rowCount ?? 0;
  });
  return { deliveries: deliveries.rowCount ?? 0, events };
}
