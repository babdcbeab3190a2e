import type { Tx } from '../database/store.ts';

/** A new delivery's id, drawn by Postgres: its statements make any number of them at once. */
export const NEW_DELIVERY_ID = `'dlv_' || translate(rtrim(encode(uuid_send(gen_random_uuid()), 'base64'), '='), '+/', '-_')`;

/**
 * A delivery of every event of `told` (id, stream, seq, type) to each endpoint of the tenant ($1) that wants it. Due now, cut to what the column holds, which would round
 * it up: due a moment from now is not due to who looks at once.
 */
export const INSERT_DELIVERIES = `INSERT INTO delivery (id, tenant_id, endpoint_id, event_id, stream, seq, next_try_at)
           SELECT ${NEW_DELIVERY_ID}, $1, e.id, t.id, t.stream, t.seq, date_trunc('milliseconds', now())
           FROM told t JOIN endpoint e ON e.tenant_id = $1 AND e.enabled AND e.deleted_at IS NULL AND (e.types = '{}' OR t.type = ANY(e.types))`;

/** An event of a tenant's is to be sent to each of its endpoints that wants it. */
export async function enqueueDeliveries(tx: Tx, tenantId: string, outboxId: string): Promise<void> {
  await tx.query({
    name: 'deliver-to-all',
    text: `WITH told AS (SELECT id, COALESCE(session_id, endpoint_id) AS stream, seq, type FROM outbox WHERE tenant_id = $1 AND id = $2)
           ${INSERT_DELIVERIES}`,
    values: [tenantId, outboxId],
  });
}

/** Something a tenant is told about a session. */
export interface NewEvent {
  readonly type: string;
  readonly data: Record<string, unknown>;
}

/**
 * Commits events with the change that they tell of, and for each a delivery to every endpoint of the tenant's that wants it, to be sent at once. `firstSeq` comes
 * from the locked session row, so a session's numbers have no gap.
 */
export async function appendEvents(
  tx: Tx,
  tenantId: string,
  of: { roomId: string; sessionId: string; firstSeq: number },
  events: readonly NewEvent[],
): Promise<void> {
  if (events.length === 0) return;
  await tx.query({
    name: 'append-events',
    // Stamped under the session's lock and not by when the transaction began, so that a session's times follow its numbers.
    text: `WITH told AS (
             INSERT INTO outbox (tenant_id, room_id, session_id, seq, type, data, created_at)
             SELECT $1, $2, $3, $4 + ord - 1, type, data, clock_timestamp() FROM unnest($5::text[], $6::jsonb[]) WITH ORDINALITY AS e (type, data, ord) RETURNING id, session_id AS stream, seq, type)
           ${INSERT_DELIVERIES}`,
    values: [
      tenantId,
      of.roomId,
      of.sessionId,
      of.firstSeq,
      events.map((event) => event.type),
      events.map((event) => JSON.stringify(event.data)),
    ],
  });
}

/** Commits an event about one of a tenant's endpoints; the row of the endpoint must be locked, by which its events have no gap. Gives its place. */
export async function appendEndpointEvent(
  tx: Tx,
  tenantId: string,
  endpointId: string,
  { type, data }: { type: string; data: Record<string, unknown> },
): Promise<string> {
  const { rows } = await tx.query<{ id: string }>({
    name: 'append-endpoint-event',
    text: `WITH counted AS (UPDATE endpoint SET last_seq = last_seq + 1 WHERE tenant_id = $1 AND id = $2 RETURNING last_seq)
           INSERT INTO outbox (tenant_id, endpoint_id, seq, type, data, created_at) SELECT $1, $2, last_seq, $3, $4, clock_timestamp() FROM counted RETURNING id`,
    values: [tenantId, endpointId, type, JSON.stringify(data)],
  });
  return rows[0]!.id;
}
