import type { Tx } from '../database/store.ts';

/** SQL for a new delivery id, so that one statement can create many. */
export const NEW_DELIVERY_ID = `'dlv_' || translate(
  rtrim(encode(uuid_send(gen_random_uuid()), 'base64'), '='), '+/', '-_')`;

/**
 * SQL that creates a delivery of each row of `new_event` (id, stream, seq, type) for each endpoint
 * of the tenant ($1) that subscribes to its type. The due time is truncated to the column's
 * precision: rounded up, the delivery would not be due at once.
 */
const INSERT_DELIVERIES = `INSERT INTO delivery (id, tenant_id, endpoint_id, event_id, stream, seq, next_try_at)
           SELECT ${NEW_DELIVERY_ID}, $1, e.id, n.id, n.stream, n.seq, date_trunc('milliseconds', now())
           FROM new_event n
           JOIN endpoint e ON e.tenant_id = $1 AND e.enabled AND e.deleted_at IS NULL
             AND (e.types = '{}' OR n.type = ANY(e.types))`;

/** Creates a delivery of one event for each endpoint of the tenant that subscribes to its type. */
export async function enqueueDeliveries(tx: Tx, tenantId: string, outboxId: string): Promise<void> {
  await tx.query({
    name: 'deliver-to-all',
    text: `WITH new_event AS (
             SELECT id, COALESCE(session_id, endpoint_id) AS stream, seq, type
             FROM outbox
             WHERE tenant_id = $1 AND id = $2
           )
           ${INSERT_DELIVERIES}`,
    values: [tenantId, outboxId],
  });
}

/** An event about a session. */
export interface NewEvent {
  readonly type: string;
  readonly data: Record<string, unknown>;
}

/**
 * Stores events in the transaction of the change, with a delivery for each endpoint that subscribes
 * to them, due at once. `describe_event` adds the participant, the masked number and the room's
 * external id, so the rows of new legs must exist. `firstSeq` comes from the locked session row, so
 * that a session's sequence numbers have no gap.
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
    // clock_timestamp(), taken under the session's lock, keeps the times in the order of the
    // numbers; now() is the start of the transaction.
    text: `WITH new_event AS (
             INSERT INTO outbox (tenant_id, room_id, session_id, seq, type, data, created_at)
             SELECT $1, $2, $3, $4 + ord - 1, type, describe_event($2, data), clock_timestamp()
             FROM unnest($5::text[], $6::jsonb[]) WITH ORDINALITY AS e (type, data, ord)
             RETURNING id, session_id AS stream, seq, type
           )
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

/**
 * Stores an event about a room itself, or about a participant of a room that never had a session,
 * in the transaction of the change, with its deliveries. Updates the room's row, whose lock keeps
 * its sequence numbers without a gap.
 */
export async function appendRoomEvent(
  tx: Tx,
  tenantId: string,
  roomId: string,
  { type, data }: NewEvent,
): Promise<void> {
  await tx.query({
    name: 'append-room-event',
    text: `WITH counted AS (
             UPDATE room SET last_seq = last_seq + 1 WHERE tenant_id = $1 AND id = $2 RETURNING last_seq
           ),
           new_event AS (
             INSERT INTO outbox (tenant_id, room_id, seq, type, data, created_at)
             SELECT $1, $2, last_seq, $3, describe_event($2, $4), clock_timestamp()
             FROM counted
             RETURNING id, room_id AS stream, seq, type
           )
           ${INSERT_DELIVERIES}`,
    values: [tenantId, roomId, type, JSON.stringify(data)],
  });
}

/**
 * Stores an event about an endpoint. The endpoint's row must be locked, so that its sequence
 * numbers have no gap. Returns the event's outbox id.
 */
export async function appendEndpointEvent(
  tx: Tx,
  tenantId: string,
  endpointId: string,
  { type, data }: { type: string; data: Record<string, unknown> },
): Promise<string> {
  const { rows } = await tx.query<{ id: string }>({
    name: 'append-endpoint-event',
    text: `WITH counted AS (
             UPDATE endpoint SET last_seq = last_seq + 1 WHERE tenant_id = $1 AND id = $2 RETURNING last_seq
           )
           INSERT INTO outbox (tenant_id, endpoint_id, seq, type, data, created_at)
           SELECT $1, $2, last_seq, $3, $4, clock_timestamp()
           FROM counted
           RETURNING id`,
    values: [tenantId, endpointId, type, JSON.stringify(data)],
  });
  return rows[0]!.id;
}
