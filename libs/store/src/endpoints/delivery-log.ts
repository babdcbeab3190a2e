import { NEW_DELIVERY_ID } from '../events/append-events.ts';
import { EVENT_RETENTION_INTERVAL, type EventSubject } from '../events/outbox.ts';
import { inTransaction, type Store } from '../database/store.ts';

interface DeliveryAttempt {
  readonly delivery_id: string;
  readonly no: number;
  readonly at: Date;
  readonly status: number | null;
  readonly duration_ms: number | null;
  readonly error: string | null;
}

/** One delivery with all its attempts, oldest first. */
export interface DeliveryLogEntry extends EventSubject {
  readonly id: string;
  readonly to_endpoint: string;
  readonly type: string;
  readonly state: 'pending' | 'delivered' | 'failed';
  readonly next_try_at: Date | null;
  readonly created_at: Date;
  readonly done_at: Date | null;
  readonly attempts: readonly DeliveryAttempt[];
}

const COLUMNS = `d.id, d.endpoint_id AS to_endpoint, o.room_id, o.session_id, o.endpoint_id, o.seq, o.type, d.state,
  d.next_try_at, d.created_at, d.done_at`;

/**
 * Returns a page of an endpoint's deliveries, the newest event first. `after` is the last delivery
 * of the page before.
 */
export async function listDeliveries(
  store: Store,
  tenantId: string,
  endpointId: string,
  { state, limit, after }: { state: 'pending' | 'delivered' | 'failed' | 'all'; limit: number; after?: string },
): Promise<DeliveryLogEntry[]> {
  const { rows } = await store.query<Omit<DeliveryLogEntry, 'attempts'>>(tenantId, {
    name: 'list-deliveries',
    text: `SELECT ${COLUMNS}
           FROM delivery d
           JOIN outbox o ON o.id = d.event_id
           WHERE d.tenant_id = $1 AND d.endpoint_id = $2 AND ($3 = 'all' OR d.state = $3)
             AND d.event_id < COALESCE(
               (SELECT c.event_id FROM delivery c WHERE c.tenant_id = $1 AND c.id = $5),
               9223372036854775807
             )
           ORDER BY d.event_id DESC
           LIMIT $4`,
    values: [tenantId, endpointId, state, limit, after ?? null],
  });
  return withAttempts(store, tenantId, rows);
}

/** Returns a tenant's delivery; `null` when there is none, or its endpoint was deleted. */
export async function readDelivery(store: Store, tenantId: string, id: string): Promise<DeliveryLogEntry | null> {
  const { rows } = await store.query<Omit<DeliveryLogEntry, 'attempts'>>(tenantId, {
    name: 'read-delivery',
    text: `SELECT ${COLUMNS}
           FROM delivery d
           JOIN outbox o ON o.id = d.event_id
           JOIN endpoint e ON e.id = d.endpoint_id AND e.deleted_at IS NULL
           WHERE d.tenant_id = $1 AND d.id = $2`,
    values: [tenantId, id],
  });
  return (await withAttempts(store, tenantId, rows))[0] ?? null;
}

async function withAttempts(
  store: Store,
  tenantId: string,
  deliveries: readonly Omit<DeliveryLogEntry, 'attempts'>[],
): Promise<DeliveryLogEntry[]> {
  if (deliveries.length === 0) return [];
  const { rows } = await store.query<DeliveryAttempt>(tenantId, {
    name: 'attempts-of-deliveries',
    text: `SELECT delivery_id, no, at, status, duration_ms, error
           FROM delivery_attempt
           WHERE tenant_id = $1 AND delivery_id = ANY($2)
           ORDER BY delivery_id, no`,
    values: [tenantId, deliveries.map(({ id }) => id)],
  });
  const attemptsOf = new Map<string, DeliveryAttempt[]>(deliveries.map(({ id }) => [id, []]));
  for (const row of rows) attemptsOf.get(row.delivery_id)?.push(row);
  return deliveries.map((delivery) => ({ ...delivery, attempts: attemptsOf.get(delivery.id) ?? [] }));
}

/** Whether the endpoint has this delivery, as a valid cursor for the next page. */
export async function hasDelivery(store: Store, tenantId: string, endpointId: string, id: string): Promise<boolean> {
  const { rowCount } = await store.query(tenantId, {
    name: 'delivery-of-endpoint',
    text: 'SELECT 1 FROM delivery WHERE tenant_id = $1 AND endpoint_id = $2 AND id = $3',
    values: [tenantId, endpointId, id],
  });
  return rowCount === 1;
}

/** Resets a delivery for a replay. */
const RESET = `state = 'pending', tries = 0, done_at = NULL, lease_until = NULL,
  next_try_at = date_trunc('milliseconds', now())`;

/**
 * Replays a delivery in any state. `disabled`: its endpoint is disabled; `null`: the tenant has no
 * such delivery.
 */
export async function replayDelivery(
  store: Store,
  tenantId: string,
  id: string,
): Promise<'replayed' | 'disabled' | null> {
  const { rows } = await store.query<{ enabled: boolean }>(tenantId, {
    name: 'replay-delivery',
    text: `WITH found AS (
             SELECT d.id, e.enabled
             FROM delivery d
             JOIN endpoint e ON e.id = d.endpoint_id
             WHERE d.tenant_id = $1 AND d.id = $2 AND e.deleted_at IS NULL
           ),
           replayed AS (
             UPDATE delivery SET ${RESET} WHERE tenant_id = $1 AND id IN (SELECT id FROM found WHERE enabled)
           )
           SELECT enabled FROM found`,
    values: [tenantId, id],
  });
  return rows[0] === undefined ? null : rows[0].enabled ? 'replayed' : 'disabled';
}

/**
 * The events to replay: those with the given outbox ids, or else those created in [since, until).
 */
interface ReplayRange {
  readonly outboxIds: readonly string[] | null;
  readonly since: Date | null;
  readonly until: Date | null;
  /** Only events after this outbox id. */
  readonly after: string | null;
  /** The most events, the oldest first. */
  readonly limit: number;
}

/**
 * Replays events to an endpoint, also those from before it existed or while it was disabled. Events
 * whose type it does not subscribe to are sent only when named by id. Returns how many events and
 * the last of them; `gone` when `since` is before the retention period.
 */
export async function replayEvents(
  store: Store,
  tenantId: string,
  endpointId: string,
  { outboxIds, since, until, after, limit }: ReplayRange,
): Promise<{ count: number; last: EventSubject | null } | 'gone'> {
  return inTransaction(store, tenantId, async (tx) => {
    const { rows: check } = await tx.query<{ gone: boolean }>({
      name: 'replay-reaches',
      text: `SELECT COALESCE($1::timestamptz < now() - ${EVENT_RETENTION_INTERVAL}, false) AS gone`,
      values: [since],
    });
    if (check[0]!.gone) return 'gone';
    const { rows } = await tx.query<EventSubject & { id: string }>({
      name: 'replay-events',
      // FOR KEY SHARE keeps the events from being purged until the deliveries are committed.
      text: `WITH wanted AS (
               SELECT o.id, o.room_id, o.session_id, o.endpoint_id, o.seq, e.id AS to_endpoint
               FROM endpoint e
               JOIN outbox o ON o.tenant_id = e.tenant_id
               WHERE e.tenant_id = $1 AND e.id = $2 AND e.deleted_at IS NULL AND o.tenant_id = $1
                 AND CASE
                   WHEN $3::bigint[] IS NOT NULL THEN o.id = ANY($3)
                   ELSE o.created_at >= $4 AND o.created_at < COALESCE($5, now())
                     AND (e.types = '{}' OR o.type = ANY(e.types))
                     AND (o.endpoint_id IS NULL OR o.type <> 'endpoint.ping')
                 END
                 AND o.id > COALESCE($6::bigint, 0)
               ORDER BY o.id
               LIMIT $7
               FOR KEY SHARE OF o
             ),
             replayed AS (
               INSERT INTO delivery (id, tenant_id, endpoint_id, event_id, stream, seq, next_try_at)
               SELECT ${NEW_DELIVERY_ID}, $1, to_endpoint, id, COALESCE(session_id, endpoint_id, room_id), seq,
                 date_trunc('milliseconds', now())
               FROM wanted
               ON CONFLICT (endpoint_id, event_id) DO UPDATE SET ${RESET}
             )
             SELECT id, room_id, session_id, endpoint_id, seq FROM wanted ORDER BY id`,
      values: [tenantId, endpointId, outboxIds, since, until, after, limit],
    });
    return { count: rows.length, last: rows.at(-1) ?? null };
  });
}
