import { EVERY_TENANT, type Store } from './store.ts';

/** An event taken for one attempt to send it. */
export interface EventToSend {
  readonly id: string;
  readonly tenant_id: string;
  readonly room_id: string;
  readonly session_id: string;
  readonly seq: number;
  readonly type: string;
  readonly data: Record<string, unknown>;
  readonly created_at: Date;
  /** With this one. It is what proves, afterwards, that the attempt was ours. */
  readonly attempts: number;
  readonly url: string;
}

/** An event's name outside: always the same for the same event, and nobody else's. */
export const eventId = (sessionId: string, seq: number): string => `evt_${sessionId.replace(/^ses_/, '')}_${seq}`;

/**
 * Sets where a tenant's events are sent, from the next event on; `null`: nowhere, and what was not sent yet never is. Whose address this
 * is is the operator's own choice, so nothing keeps it from being inside the operator's network; a tenant must not get to set it as it is.
 */
export async function setEventsUrl(store: Store, tenantId: string, url: string | null): Promise<void> {
  await store.query(EVERY_TENANT, {
    name: 'set-events-url',
    text: `WITH told AS (UPDATE tenant SET events_url = $2 WHERE id = $1)
           UPDATE outbox SET next_try_at = NULL, lease_until = NULL WHERE $2 IS NULL AND tenant_id = $1 AND next_try_at IS NOT NULL`,
    values: [tenantId, url],
  });
}

/**
 * Takes the event that has been due for longest, for one attempt within `leaseMs`: the first unsent of its session, so that a session's
 * events go out in order, and not of a tenant who has `tenantWidth` in hand already, so that one who answers slowly does not hold all
 * senders. Several may ask at once, each gets another. Across tenants: this is the operator's, and each row brings its own tenant.
 */
export async function claimEvent(store: Store, { leaseMs, tenantWidth }: { leaseMs: number; tenantWidth: number }): Promise<EventToSend | null> {
  const { rows } = await store.query<EventToSend>(EVERY_TENANT, {
    name: 'claim-event',
    // Two who look at the same moment see the same first; the lock lets one have it, and the other's look is taken again on the next.
    text: `WITH busy AS MATERIALIZED (SELECT tenant_id FROM outbox WHERE lease_until > now() GROUP BY tenant_id HAVING count(*) >= $2)
           UPDATE outbox o SET attempts = o.attempts + 1, lease_until = clock_timestamp() + make_interval(secs => $1)
           FROM tenant t
           WHERE t.id = o.tenant_id AND o.id = (
             SELECT c.id FROM outbox c JOIN tenant ct ON ct.id = c.tenant_id AND ct.events_url IS NOT NULL
             WHERE c.next_try_at <= now() AND (c.lease_until IS NULL OR c.lease_until <= now())
               AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.session_id = c.session_id AND e.seq < c.seq AND e.next_try_at IS NOT NULL)
               AND c.tenant_id NOT IN (SELECT tenant_id FROM busy)
             ORDER BY c.next_try_at, c.id LIMIT 1 FOR UPDATE OF c SKIP LOCKED)
           RETURNING o.id, o.tenant_id, o.room_id, o.session_id, o.seq, o.type, o.data, o.created_at, o.attempts, t.events_url AS url`,
    values: [leaseMs / 1000, tenantWidth],
  });
  return rows[0] ?? null;
}

/** Notes that an event was delivered, whoever's attempt it was: the receiver has it. */
export async function markDelivered(store: Store, tenantId: string, id: string): Promise<void> {
  await store.query(tenantId, {
    name: 'event-delivered',
    text: 'UPDATE outbox SET delivered_at = clock_timestamp(), next_try_at = NULL, lease_until = NULL WHERE tenant_id = $1 AND id = $2 AND delivered_at IS NULL',
    values: [tenantId, id],
  });
}

/**
 * Gives an event back, to be sent again after `waitMs`, unless it was delivered or taken by another meanwhile. What waits behind it waits
 * with it, so that looking for what is due does not look at what cannot be sent.
 */
export async function putOff(store: Store, tenantId: string, { id, attempts }: Pick<EventToSend, 'id' | 'attempts'>, waitMs: number): Promise<void> {
  await store.query(tenantId, {
    name: 'event-put-off',
    text: `WITH head AS (UPDATE outbox SET lease_until = NULL, next_try_at = clock_timestamp() + make_interval(secs => $4)
                         WHERE tenant_id = $1 AND id = $2 AND attempts = $3 AND delivered_at IS NULL RETURNING id, session_id, next_try_at)
           UPDATE outbox o SET next_try_at = head.next_try_at FROM head WHERE o.session_id = head.session_id AND o.id <> head.id AND o.next_try_at IS NOT NULL`,
    values: [tenantId, id, attempts, waitMs / 1000],
  });
}
