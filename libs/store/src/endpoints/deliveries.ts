import { OUTBOX_COLUMNS, type OutboxRow } from '../events/outbox.ts';
import { EVERY_TENANT, inTransaction, type Store } from '../database/store.ts';

/** An event taken for one attempt to send it to one endpoint. */
export interface DeliveryToSend {
  readonly id: string;
  readonly tenant_id: string;
  readonly endpoint_id: string;
  /** With this one. It is what proves, afterwards, that the attempt was ours. */
  readonly attempts: number;
  /** Attempts since it was last begun with, this one among them. */
  readonly tries: number;
  readonly event: OutboxRow;
  readonly url: string;
  readonly secret: Uint8Array;
  /** Null when there is none that still signs. */
  readonly old_secret: Uint8Array | null;
}

interface Claim {
  /** How long a sender may hold a delivery; longer than a request may take. A dead one's is free again after this. */
  readonly leaseMs: number;
  /** Deliveries of one endpoint that may be on their way at once, whichever replica sends them. */
  readonly maxPerEndpoint: number;
  /** Deliveries of one tenant that may be on their way at once, to all its endpoints; a few more when two replicas take some at the same moment. */
  readonly maxPerTenant: number;
  /** So many failures in a row open an endpoint's circuit: from then on one delivery at a time is tried, when its `probe_at` has come. */
  readonly circuitOpensAt: number;
  /** At most so many in all. */
  readonly limit: number;
}

/**
 * Takes deliveries that are due, each for one attempt within `leaseMs`: of the tenants with the fewest on their way first, of those what has been due for longest, of each session the
 * first that is not done, so that a session's events reach an endpoint in order. Several may ask at once: an endpoint is looked through by one at a time. Looks at endpoints with
 * something to send and not at each delivery; no tenant has more than its `share`, or those whose receivers are slow would have all of it (seen: two of them stopped everybody's). Across
 * tenants: this is the operator's, and each row brings its own tenant.
 */
export async function claimDeliveries(
  store: Store,
  { leaseMs, maxPerEndpoint: width, maxPerTenant: share, circuitOpensAt: opensAt, limit }: Claim,
): Promise<DeliveryToSend[]> {
  return inTransaction(store, EVERY_TENANT, async (tx) => {
    const { rows: endpoints } = await tx.query<{ id: string; failures: number; tenant_id: string; busy: number }>({
      name: 'claim-endpoints',
      // Hops from one endpoint to the next in the index of what is due.
      text: `WITH RECURSIVE waiting (id) AS (
               (SELECT endpoint_id FROM delivery WHERE next_try_at IS NOT NULL ORDER BY endpoint_id LIMIT 1)
               UNION ALL
               SELECT (SELECT d.endpoint_id FROM delivery d WHERE d.next_try_at IS NOT NULL AND d.endpoint_id > w.id ORDER BY d.endpoint_id LIMIT 1) FROM waiting w WHERE w.id IS NOT NULL),
             found AS (
               SELECT e.id, due.next_try_at, leased.n AS busy, sum(leased.n) OVER (PARTITION BY e.tenant_id) AS of_tenant,
                 row_number() OVER (PARTITION BY e.tenant_id ORDER BY due.next_try_at, e.id) AS nth FROM waiting w JOIN endpoint e ON e.id = w.id
               CROSS JOIN LATERAL (SELECT count(*) AS n FROM delivery l WHERE l.endpoint_id = e.id AND l.lease_until > now()) leased
               LEFT JOIN LATERAL (SELECT d.next_try_at FROM delivery d WHERE d.endpoint_id = e.id AND d.next_try_at <= now() ORDER BY d.next_try_at LIMIT 1) due ON true)
             SELECT e.id, e.failures, e.tenant_id, f.of_tenant::int AS busy FROM found f JOIN endpoint e ON e.id = f.id
             WHERE f.next_try_at IS NOT NULL AND e.enabled AND e.deleted_at IS NULL AND f.of_tenant < $4 AND CASE WHEN e.failures >= $2 THEN e.probe_at <= now() ELSE f.busy < $1 END
             ORDER BY f.of_tenant + f.nth, f.next_try_at, e.id LIMIT $3 FOR NO KEY UPDATE OF e SKIP LOCKED`,
      values: [width, opensAt, limit, share],
    });
    if (endpoints.length === 0) return [];
    const { rows } = await tx.query<Row>({
      name: 'claim-deliveries',
      // A statement of its own: it sees what those committed who held an endpoint just before.
      text: `WITH taken AS (
               UPDATE delivery d SET attempts = d.attempts + 1, tries = d.tries + 1, lease_until = clock_timestamp() + make_interval(secs => $3)
               FROM (SELECT c.id FROM (
                     SELECT c.*, e.busy + row_number() OVER (PARTITION BY e.tenant ORDER BY c.next_try_at, c.event_id, c.endpoint_id) AS nth
                     FROM unnest($1::text[], $2::int[], $6::text[], $7::int[]) AS e (id, width, tenant, busy) CROSS JOIN LATERAL (
                       SELECT c.id, c.next_try_at, c.event_id, c.endpoint_id FROM delivery c
                       WHERE c.endpoint_id = e.id AND c.next_try_at <= now() AND (c.lease_until IS NULL OR c.lease_until <= now())
                         AND NOT EXISTS (SELECT FROM delivery f WHERE f.endpoint_id = c.endpoint_id AND f.stream = c.stream AND f.seq < c.seq AND f.next_try_at IS NOT NULL)
                       ORDER BY c.next_try_at, c.event_id
                       LIMIT greatest(0, e.width - (SELECT count(*) FROM delivery l WHERE l.endpoint_id = e.id AND l.lease_until > now()))) c) c
                     WHERE c.nth <= $8 ORDER BY c.nth, c.next_try_at, c.event_id, c.endpoint_id LIMIT $4) pick
               WHERE d.id = pick.id AND d.next_try_at <= now()
               RETURNING d.id, d.tenant_id, d.endpoint_id, d.event_id, d.attempts, d.tries),
             noted AS (INSERT INTO delivery_attempt (delivery_id, no, tenant_id, at) SELECT id, attempts, tenant_id, clock_timestamp() FROM taken),
             probed AS (UPDATE endpoint SET probe_at = clock_timestamp() + make_interval(secs => $3) WHERE failures >= $5 AND id IN (SELECT endpoint_id FROM taken))
             SELECT t.id AS delivery_id, t.tenant_id, t.endpoint_id AS to_endpoint, t.attempts, t.tries, e.url, e.secret, CASE WHEN e.old_secret_until > now() THEN e.old_secret END AS old_secret, ${OUTBOX_COLUMNS}
             FROM taken t JOIN outbox o ON o.id = t.event_id JOIN endpoint e ON e.id = t.endpoint_id`,
      values: [
        endpoints.map(({ id }) => id),
        endpoints.map(({ failures }) => (failures >= opensAt ? 1 : width)),
        leaseMs / 1000,
        limit,
        opensAt,
        endpoints.map(({ tenant_id }) => tenant_id),
        endpoints.map(({ busy }) => busy),
        share,
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
type Row = OutboxRow &
  Omit<DeliveryToSend, 'id' | 'endpoint_id' | 'event'> & { readonly delivery_id: string; readonly to_endpoint: string };

/** What became of an attempt. */
export interface AttemptResult {
  readonly status: number | null;
  readonly durationMs: number;
  /** Why there was no answer; null when there was one. */
  readonly error: string | null;
}

type AttemptKey = Pick<DeliveryToSend, 'id' | 'attempts'>;

/** Notes that an event was delivered, whoever's attempt it was: the receiver has it. Closes the endpoint's circuit. */
export async function markDelivered(
  store: Store,
  tenantId: string,
  { id, attempts }: AttemptKey,
  { status, durationMs }: AttemptResult,
): Promise<void> {
  await store.query(tenantId, {
    name: 'delivery-accepted',
    text: `WITH noted AS (UPDATE delivery_attempt SET status = $4, duration_ms = $5 WHERE tenant_id = $1 AND delivery_id = $2 AND no = $3),
           done AS (UPDATE delivery SET state = 'delivered', done_at = clock_timestamp(), next_try_at = NULL, lease_until = NULL WHERE tenant_id = $1 AND id = $2 AND state = 'pending' RETURNING endpoint_id)
           UPDATE endpoint SET failures = 0, failing_since = NULL, probe_at = NULL WHERE tenant_id = $1 AND failures > 0 AND id IN (SELECT endpoint_id FROM done)`,
    values: [tenantId, id, attempts, status, durationMs],
  });
}

/** How an endpoint stands after an attempt that was not taken. */
interface EndpointFailures {
  readonly failures: number;
  /** For how many seconds nothing was taken. */
  readonly failingForS: number;
}

/**
 * Notes that an attempt was not taken, and gives the delivery back, to be sent again after `waitMs`; `null`: not again, it has failed. Does nothing to one that was
 * delivered or taken by another meanwhile. What waits behind it waits with it, so that looking for what is due does not look at what cannot be sent.
 * @param probe the endpoint is tried again after `firstS`, doubling for each failure from `opensAt` on, up to `longestS`
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
    text: `WITH noted AS (UPDATE delivery_attempt SET status = $4, duration_ms = $5, error = $6 WHERE tenant_id = $1 AND delivery_id = $2 AND no = $3),
           head AS (UPDATE delivery SET lease_until = NULL, next_try_at = clock_timestamp() + make_interval(secs => $7::float8),
                      state = CASE WHEN $7::float8 IS NULL THEN 'failed' ELSE state END, done_at = CASE WHEN $7::float8 IS NULL THEN clock_timestamp() END
                    WHERE tenant_id = $1 AND id = $2 AND attempts = $3 AND state = 'pending' RETURNING id, endpoint_id, stream, next_try_at),
           behind AS (UPDATE delivery o SET next_try_at = head.next_try_at FROM head
                      WHERE head.next_try_at IS NOT NULL AND o.endpoint_id = head.endpoint_id AND o.stream = head.stream AND o.id <> head.id AND o.next_try_at IS NOT NULL)
           UPDATE endpoint e SET failures = e.failures + 1, failing_since = COALESCE(e.failing_since, clock_timestamp()),
             probe_at = clock_timestamp() + make_interval(secs => least($10::float8, $9::float8 * power(2, least(20, greatest(0, e.failures + 1 - $8)))))
           FROM head WHERE e.tenant_id = $1 AND e.id = head.endpoint_id
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
 * Ends what waits for endpoints that are disabled, and clears away those that were deleted with what was sent to them; at most `limit` deliveries of either a time. Gives how
 * many, so that whoever asks may ask again.
 */
export async function cleanUpDeliveries(store: Store, limit: number): Promise<number> {
  const ended = await store.query(EVERY_TENANT, {
    name: 'end-waiting',
    text: `WITH RECURSIVE waiting (id) AS (
             (SELECT endpoint_id FROM delivery WHERE next_try_at IS NOT NULL ORDER BY endpoint_id LIMIT 1)
             UNION ALL
             SELECT (SELECT d.endpoint_id FROM delivery d WHERE d.next_try_at IS NOT NULL AND d.endpoint_id > w.id ORDER BY d.endpoint_id LIMIT 1) FROM waiting w WHERE w.id IS NOT NULL)
           UPDATE delivery SET state = 'failed', done_at = clock_timestamp(), next_try_at = NULL, lease_until = NULL
           WHERE id IN (SELECT d.id FROM waiting w LEFT JOIN endpoint e ON e.id = w.id JOIN delivery d ON d.endpoint_id = w.id AND d.next_try_at IS NOT NULL
                        WHERE e.id IS NULL OR NOT e.enabled OR e.deleted_at IS NOT NULL LIMIT $1)`,
    values: [limit],
  });
  const cleared = await store.query(EVERY_TENANT, {
    name: 'clear-deleted',
    text: 'DELETE FROM delivery WHERE id IN (SELECT d.id FROM endpoint e JOIN delivery d ON d.endpoint_id = e.id WHERE e.deleted_at IS NOT NULL LIMIT $1)',
    values: [limit],
  });
  await store.query(EVERY_TENANT, {
    name: 'drop-deleted',
    text: 'DELETE FROM endpoint e WHERE e.deleted_at IS NOT NULL AND NOT EXISTS (SELECT FROM delivery d WHERE d.endpoint_id = e.id)',
    values: [],
  });
  return (ended.rowCount ?? 0) + (cleared.rowCount ?? 0);
}
