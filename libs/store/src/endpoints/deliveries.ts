import { EVERY_TENANT, inTransaction, type Store } from '../database/store.ts';
import { OUTBOX_COLUMNS, type OutboxRow } from '../events/outbox.ts';

/** A delivery that is claimed for one attempt. */
export interface DeliveryToSend {
  readonly id: string;
  readonly tenant_id: string;
  readonly endpoint_id: string;
  /** With this attempt. Identifies the attempt when its result is recorded. */
  readonly attempts: number;
  /** Attempts since the delivery was created or replayed, with this one. */
  readonly tries: number;
  readonly event: OutboxRow;
  readonly url: string;
  readonly secret: Uint8Array;
  /** The previous secret while it still signs; null otherwise. */
  readonly old_secret: Uint8Array | null;
}

interface Claim {
  /**
   * How long a claim lasts, longer than a request may take. A delivery of a dead process is due
   * again after it.
   */
  readonly leaseMs: number;
  /** The most deliveries in flight to one endpoint, over all replicas. */
  readonly maxPerEndpoint: number;
  /**
   * The most deliveries in flight of one tenant; slightly exceeded when two replicas claim at the
   * same moment.
   */
  readonly maxPerTenant: number;
  /**
   * The consecutive failures that open an endpoint's circuit: then one delivery at a time is tried,
   * after `probe_at`.
   */
  readonly circuitOpensAt: number;
  /** The most deliveries of this claim. */
  readonly limit: number;
}

/**
 * SQL that finds the endpoints with undone deliveries by hopping through the index, one step per
 * endpoint.
 */
const WAITING_ENDPOINTS = `waiting (id) AS (
               (
                 SELECT endpoint_id
                 FROM delivery
                 WHERE next_try_at IS NOT NULL
                 ORDER BY endpoint_id
                 LIMIT 1
               )
               UNION ALL
               SELECT (
                 SELECT d.endpoint_id
                 FROM delivery d
                 WHERE d.next_try_at IS NOT NULL AND d.endpoint_id > w.id
                 ORDER BY d.endpoint_id
                 LIMIT 1
               )
               FROM waiting w
               WHERE w.id IS NOT NULL
             )`;

/**
 * Claims due deliveries, each for one attempt within `leaseMs`. Tenants with the fewest deliveries
 * in flight come first, then the longest due. Of each session only the first undone delivery is
 * claimed, so that an endpoint receives its events in order. Concurrent callers lock different
 * endpoints.
 *
 * The cost depends on the number of endpoints with due deliveries, not on the number of deliveries.
 * Without `maxPerTenant`, two tenants with slow receivers once stopped the deliveries of all.
 * Covers all tenants.
 */
export async function claimDeliveries(
  store: Store,
  { leaseMs, maxPerEndpoint, maxPerTenant, circuitOpensAt, limit }: Claim,
): Promise<DeliveryToSend[]> {
  return inTransaction(store, EVERY_TENANT, async (tx) => {
    const { rows: endpoints } = await tx.query<{ id: string; failures: number; tenant_id: string; busy: number }>({
      name: 'claim-endpoints',
      text: `WITH RECURSIVE ${WAITING_ENDPOINTS},
             found AS (
               SELECT e.id, due.next_try_at, leased.n AS busy,
                 sum(leased.n) OVER (PARTITION BY e.tenant_id) AS of_tenant,
                 row_number() OVER (PARTITION BY e.tenant_id ORDER BY due.next_try_at, e.id) AS nth
               FROM waiting w
               JOIN endpoint e ON e.id = w.id
               CROSS JOIN LATERAL (
                 SELECT count(*) AS n
                 FROM delivery l
                 WHERE l.endpoint_id = e.id AND l.lease_until > now()
               ) leased
               LEFT JOIN LATERAL (
                 SELECT d.next_try_at
                 FROM delivery d
                 WHERE d.endpoint_id = e.id AND d.next_try_at <= now()
                 ORDER BY d.next_try_at
                 LIMIT 1
               ) due ON true
             )
             SELECT e.id, e.failures, e.tenant_id, f.of_tenant::int AS busy
             FROM found f
             JOIN endpoint e ON e.id = f.id
             WHERE f.next_try_at IS NOT NULL AND e.enabled AND e.deleted_at IS NULL AND f.of_tenant < $4
               AND CASE WHEN e.failures >= $2 THEN e.probe_at <= now() ELSE f.busy < $1 END
             ORDER BY f.of_tenant + f.nth, f.next_try_at, e.id
             LIMIT $3
             FOR NO KEY UPDATE OF e SKIP LOCKED`,
      values: [maxPerEndpoint, circuitOpensAt, limit, maxPerTenant],
    });
    if (endpoints.length === 0) return [];
    const { rows } = await tx.query<ClaimedRow>({
      name: 'claim-deliveries',
      // A second statement sees what the previous holders of the endpoints' locks committed.
      // An array and not a join: the planner may scan the whole table for the join.
      text: `WITH claimed AS (
               UPDATE delivery d
               SET attempts = d.attempts + 1, tries = d.tries + 1,
                 lease_until = clock_timestamp() + make_interval(secs => $3)
               WHERE d.id = ANY (ARRAY(
                 SELECT c.id
                 FROM (
                   SELECT c.*,
                     e.busy + row_number() OVER (
                       PARTITION BY e.tenant ORDER BY c.next_try_at, c.event_id, c.endpoint_id
                     ) AS nth
                   FROM unnest($1::text[], $2::int[], $6::text[], $7::int[]) AS e (id, width, tenant, busy)
                   CROSS JOIN LATERAL (
                     SELECT c.id, c.next_try_at, c.event_id, c.endpoint_id
                     FROM delivery c
                     WHERE c.endpoint_id = e.id AND c.next_try_at <= now()
                       AND (c.lease_until IS NULL OR c.lease_until <= now())
                       AND NOT EXISTS (
                         SELECT
                         FROM delivery f
                         WHERE f.endpoint_id = c.endpoint_id AND f.stream = c.stream AND f.seq < c.seq
                           AND f.next_try_at IS NOT NULL
                       )
                     ORDER BY c.next_try_at, c.event_id
                     LIMIT greatest(0, e.width - (
                       SELECT count(*) FROM delivery l WHERE l.endpoint_id = e.id AND l.lease_until > now()
                     ))
                   ) c
                 ) c
                 WHERE c.nth <= $8
                 ORDER BY c.nth, c.next_try_at, c.event_id, c.endpoint_id
                 LIMIT $4
               )) AND d.next_try_at <= now()
               RETURNING d.id, d.tenant_id, d.endpoint_id, d.event_id, d.attempts, d.tries
             ),
             recorded AS (
               INSERT INTO delivery_attempt (delivery_id, no, tenant_id, at)
               SELECT id, attempts, tenant_id, clock_timestamp()
               FROM claimed
             ),
             probed AS (
               UPDATE endpoint
               SET probe_at = clock_timestamp() + make_interval(secs => $3)
               WHERE failures >= $5 AND id IN (SELECT endpoint_id FROM claimed)
             )
             SELECT t.id AS delivery_id, t.tenant_id, t.endpoint_id AS to_endpoint, t.attempts, t.tries, e.url,
               e.secret, CASE WHEN e.old_secret_until > now() THEN e.old_secret END AS old_secret, ${OUTBOX_COLUMNS}
             FROM claimed t
             JOIN outbox o ON o.id = t.event_id
             JOIN endpoint e ON e.id = t.endpoint_id`,
      values: [
        endpoints.map(({ id }) => id),
        endpoints.map(({ failures }) => (failures >= circuitOpensAt ? 1 : maxPerEndpoint)),
        leaseMs / 1000,
        limit,
        circuitOpensAt,
        endpoints.map(({ tenant_id }) => tenant_id),
        endpoints.map(({ busy }) => busy),
        maxPerTenant,
      ],
    });
    return rows.map(({ delivery_id, to_endpoint, tenant_id, attempts, tries, url, secret, old_secret, ...event }) => ({
      id: delivery_id,
      tenant_id,
      endpoint_id: to_endpoint,
      attempts,
      tries,
      url,
      secret,
      old_secret,
      event,
    }));
  });
}
type ClaimedRow = OutboxRow &
  Omit<DeliveryToSend, 'id' | 'endpoint_id' | 'event'> & { readonly delivery_id: string; readonly to_endpoint: string };

/** The result of an attempt. */
export interface AttemptResult {
  /** The HTTP status; null without a response. */
  readonly status: number | null;
  readonly durationMs: number;
  /** Why there was no response; null when there was one. */
  readonly error: string | null;
}

type AttemptKey = Pick<DeliveryToSend, 'id' | 'attempts'>;

/**
 * Records that an event was delivered and closes the endpoint's circuit. A late result counts too,
 * because the receiver has the event.
 */
export async function markDelivered(
  store: Store,
  tenantId: string,
  { id, attempts }: AttemptKey,
  { status, durationMs }: AttemptResult,
): Promise<void> {
  await store.query(tenantId, {
    name: 'delivery-accepted',
    text: `WITH recorded AS (
             UPDATE delivery_attempt
             SET status = $4, duration_ms = $5
             WHERE tenant_id = $1 AND delivery_id = $2 AND no = $3
           ),
           done AS (
             UPDATE delivery
             SET state = 'delivered', done_at = clock_timestamp(), next_try_at = NULL, lease_until = NULL
             WHERE tenant_id = $1 AND id = $2 AND state = 'pending'
             RETURNING endpoint_id
           )
           UPDATE endpoint
           SET failures = 0, failing_since = NULL, probe_at = NULL
           WHERE tenant_id = $1 AND failures > 0 AND id IN (SELECT endpoint_id FROM done)`,
    values: [tenantId, id, attempts, status, durationMs],
  });
}

/** The failures of an endpoint since its last success. */
interface EndpointFailures {
  readonly failures: number;
  /** Seconds since the first of them. */
  readonly failingForS: number;
}

/**
 * Records a failed attempt and schedules the next in `waitMs`; null: the delivery has failed. Later
 * deliveries of the same session wait as long, so that claims do not read what cannot be sent.
 * Ignores the result of an attempt whose delivery is done or claimed again.
 * @param probe when the endpoint is tried again: in `firstS`, doubled for each failure after
 *   `circuitOpensAt`, at most `longestS`
 */
export async function recordFailedAttempt(
  store: Store,
  tenantId: string,
  { id, attempts }: AttemptKey,
  result: AttemptResult,
  waitMs: number | null,
  probe: { circuitOpensAt: number; firstS: number; longestS: number },
): Promise<EndpointFailures | null> {
  const { rows } = await store.query<{ failures: number; for_s: number }>(tenantId, {
    name: 'delivery-failed',
    text: `WITH recorded AS (
             UPDATE delivery_attempt
             SET status = $4, duration_ms = $5, error = $6
             WHERE tenant_id = $1 AND delivery_id = $2 AND no = $3
           ),
           head AS (
             UPDATE delivery
             SET lease_until = NULL,
               next_try_at = clock_timestamp() + make_interval(secs => $7::float8),
               state = CASE WHEN $7::float8 IS NULL THEN 'failed' ELSE state END,
               done_at = CASE WHEN $7::float8 IS NULL THEN clock_timestamp() END
             WHERE tenant_id = $1 AND id = $2 AND attempts = $3 AND state = 'pending'
             RETURNING id, endpoint_id, stream, next_try_at
           ),
           behind AS (
             UPDATE delivery o
             SET next_try_at = head.next_try_at
             FROM head
             WHERE head.next_try_at IS NOT NULL AND o.endpoint_id = head.endpoint_id AND o.stream = head.stream
               AND o.id <> head.id AND o.next_try_at IS NOT NULL
           )
           UPDATE endpoint e
           SET failures = e.failures + 1,
             failing_since = COALESCE(e.failing_since, clock_timestamp()),
             probe_at = clock_timestamp() + make_interval(
               secs => least($10::float8, $9::float8 * power(2, least(20, greatest(0, e.failures + 1 - $8))))
             )
           FROM head
           WHERE e.tenant_id = $1 AND e.id = head.endpoint_id
           RETURNING e.failures, extract(epoch FROM clock_timestamp() - e.failing_since)::float8 AS for_s`,
    values: [
      tenantId,
      id,
      attempts,
      result.status,
      result.durationMs,
      result.error,
      waitMs === null ? null : waitMs / 1000,
      probe.circuitOpensAt,
      probe.firstS,
      probe.longestS,
    ],
  });
  return rows[0] === undefined ? null : { failures: rows[0].failures, failingForS: rows[0].for_s };
}

/**
 * Fails the pending deliveries of disabled endpoints, and deletes deleted endpoints with their
 * deliveries; one batch of at most `limit` deliveries of either kind. Returns the number of
 * deliveries.
 */
export async function cleanUpDeliveries(store: Store, limit: number): Promise<number> {
  const failed = await store.query(EVERY_TENANT, {
    name: 'end-waiting',
    text: `WITH RECURSIVE ${WAITING_ENDPOINTS}
           UPDATE delivery
           SET state = 'failed', done_at = clock_timestamp(), next_try_at = NULL, lease_until = NULL
           WHERE id IN (
             SELECT d.id
             FROM waiting w
             LEFT JOIN endpoint e ON e.id = w.id
             JOIN delivery d ON d.endpoint_id = w.id AND d.next_try_at IS NOT NULL
             WHERE e.id IS NULL OR NOT e.enabled OR e.deleted_at IS NOT NULL
             LIMIT $1
           )`,
    values: [limit],
  });
  const deleted = await store.query(EVERY_TENANT, {
    name: 'clear-deleted',
    text: `DELETE FROM delivery
           WHERE id IN (
             SELECT d.id
             FROM endpoint e
             JOIN delivery d ON d.endpoint_id = e.id
             WHERE e.deleted_at IS NOT NULL
             LIMIT $1
           )`,
    values: [limit],
  });
  await store.query(EVERY_TENANT, {
    name: 'drop-deleted',
    text: `DELETE FROM endpoint e
           WHERE e.deleted_at IS NOT NULL AND NOT EXISTS (SELECT FROM delivery d WHERE d.endpoint_id = e.id)`,
    values: [],
  });
  return (failed.rowCount ?? 0) + (deleted.rowCount ?? 0);
}
