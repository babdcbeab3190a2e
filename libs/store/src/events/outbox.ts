import { EVERY_TENANT, inTransaction, readForTenant, type Store } from '../database/store.ts';

/** The subject of an event: a session, an endpoint of the tenant, or else a room. */
export interface EventSubject {
  readonly room_id: string | null;
  readonly session_id: string | null;
  readonly endpoint_id: string | null;
  readonly seq: number;
}

/** An event as it is listed and delivered. */
export interface OutboxRow extends EventSubject {
  readonly id: string;
  readonly type: string;
  readonly data: Record<string, unknown>;
  readonly created_at: Date;
}

/** An event's public id, unique and always the same for the same event. */
export const eventId = ({ room_id, session_id, endpoint_id, seq }: EventSubject): string =>
  `evt_${(session_id ?? endpoint_id ?? room_id ?? '').replace(/^(ses|ep|room)_/, '')}_${seq}`;

/** Returns the possible subjects of an event id; `null` for text that is not an event id. */
function subjectsOf(id: string): {
  readonly sessionId: string;
  readonly endpointId: string;
  readonly roomId: string;
  readonly seq: number;
} | null {
  const [, subject, seq] = /^evt_([\w-]{1,64})_([1-9]\d{0,8})$/.exec(id) ?? [];
  return subject === undefined
    ? null
    : { sessionId: `ses_${subject}`, endpointId: `ep_${subject}`, roomId: `room_${subject}`, seq: Number(seq) };
}

/** The period in which events are listed, accepted as a cursor, and replayed. */
const EVENT_LISTING_INTERVAL = `interval '30 days'`;
/**
 * Events are retained for an hour longer, so that a client that pages through the oldest gets its
 * next page.
 */
export const EVENT_RETENTION_INTERVAL = `interval '30 days 1 hour'`;

/** The columns of an `OutboxRow`, from the table alias `o`. */
export const OUTBOX_COLUMNS = 'o.id, o.room_id, o.session_id, o.endpoint_id, o.seq, o.type, o.data, o.created_at';

/** The position of an event in the order of its tenant's events. */
interface EventPosition {
  /** The outbox id; null: the event existed and was purged. */
  readonly id: string | null;
  /** Whether later events may have been purged, so that listing from here would have gaps. */
  readonly old: boolean;
}

/** Returns the position of a tenant's event; `null` for an id that the tenant never had. */
export async function findEventPosition(store: Store, tenantId: string, id: string): Promise<EventPosition | null> {
  const subjects = subjectsOf(id);
  if (subjects === null) return null;
  const { rows } = await store.query<{ id: string | null; old: boolean }>(tenantId, {
    name: 'find-event',
    // The subject outlives the event, and its last_seq shows that a purged event existed.
    text: `SELECT id, created_at < now() - ${EVENT_RETENTION_INTERVAL} AS old
           FROM outbox
           WHERE tenant_id = $1 AND session_id = $2 AND seq = $4
           UNION ALL
           SELECT id, created_at < now() - ${EVENT_RETENTION_INTERVAL}
           FROM outbox
           WHERE tenant_id = $1 AND endpoint_id = $3 AND seq = $4
           UNION ALL
           SELECT id, created_at < now() - ${EVENT_RETENTION_INTERVAL}
           FROM outbox
           WHERE tenant_id = $1 AND room_id = $5 AND session_id IS NULL AND endpoint_id IS NULL AND seq = $4
           UNION ALL
           SELECT NULL, true
           FROM session
           WHERE tenant_id = $1 AND id = $2 AND last_seq >= $4
           UNION ALL
           SELECT NULL, true
           FROM endpoint
           WHERE tenant_id = $1 AND id = $3 AND last_seq >= $4
           UNION ALL
           SELECT NULL, true
           FROM room
           WHERE tenant_id = $1 AND id = $5 AND last_seq >= $4
           ORDER BY id NULLS LAST
           LIMIT 1`,
    values: [tenantId, subjects.sessionId, subjects.endpointId, subjects.seq, subjects.roomId],
  });
  return rows[0] ?? null;
}

/**
 * Returns a tenant's events in (after, upTo], in the order of their outbox ids.
 * @param after null: from 30 days ago
 * @param types empty: all types
 * @param roomId null: all rooms
 */
export async function listEvents(
  store: Store,
  tenantId: string,
  wanted: {
    readonly after: string | null;
    readonly upTo: string;
    readonly types: readonly string[];
    readonly roomId: string | null;
    readonly limit: number;
  },
): Promise<OutboxRow[]> {
  const { rows } = await store.query<OutboxRow>(tenantId, {
    name: 'list-events',
    text: `SELECT ${OUTBOX_COLUMNS}
           FROM outbox o
           WHERE o.tenant_id = $1 AND o.id > COALESCE($2::bigint, 0)
             AND ($2::bigint IS NOT NULL OR o.created_at >= now() - ${EVENT_LISTING_INTERVAL})
             AND o.id <= $3 AND (cardinality($4::text[]) = 0 OR o.type = ANY($4))
             AND ($6::text IS NULL OR o.room_id = $6)
           ORDER BY o.id
           LIMIT $5`,
    values: [tenantId, wanted.after, wanted.upTo, wanted.types, wanted.limit, wanted.roomId],
  });
  return rows;
}

/**
 * Returns the id of a tenant's last listed event up to a position, as a cursor; `null` when there
 * is none.
 * @param roomId null: of all rooms
 */
export async function findLastEventId(
  store: Store,
  tenantId: string,
  upTo: string,
  roomId: string | null,
): Promise<string | null> {
  const { rows } = await store.query<EventSubject>(tenantId, {
    name: 'last-event-up-to',
    text: `SELECT room_id, session_id, endpoint_id, seq
           FROM outbox
           WHERE tenant_id = $1 AND id <= $2 AND created_at >= now() - ${EVENT_LISTING_INTERVAL}
             AND ($3::text IS NULL OR room_id = $3)
           ORDER BY id DESC
           LIMIT 1`,
    values: [tenantId, upTo, roomId],
  });
  return rows[0] === undefined ? null : eventId(rows[0]);
}

/** The visible events and the running writers at one moment. */
interface Horizon {
  /** The last visible event. */
  readonly lastId: bigint;
  /** A transaction id above those of all transactions that were writing at that moment. */
  readonly xid: bigint;
  /** The oldest running transaction, a moment later. */
  readonly oldest: bigint;
}

/**
 * Reads how far the events are complete. An event gets its id when it is written and becomes
 * visible when it is committed, so it can appear after an event with a higher id. Each writer holds
 * a lock, and so has a transaction id, before its event gets an id. Once `oldest` of a later
 * horizon has reached the `xid` of this one, no further event up to its `lastId` can appear.
 */
export async function readHorizon(store: Store): Promise<Horizon> {
  return inTransaction(store, EVERY_TENANT, async (tx) => {
    // Not the snapshot's xmax: it is above all finished transactions, but not above all running
    // ones.
    const { rows: now } = await tx.query<{ last_id: string; xid: string }>({
      name: 'last-event',
      text: `SELECT COALESCE((SELECT max(id) FROM outbox), 0) AS last_id, pg_current_xact_id()::text AS xid`,
      values: [],
    });
    const { rows: later } = await tx.query<{ oldest: string }>({
      name: 'oldest-writer',
      text: 'SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS oldest',
      values: [],
    });
    return { lastId: BigInt(now[0]!.last_id), xid: BigInt(now[0]!.xid), oldest: BigInt(later[0]!.oldest) };
  });
}

/** Returns those of the tenants that have an event in (after, upTo]. */
export async function listTenantsWithEvents(
  store: Store,
  tenantIds: readonly string[],
  { after, upTo }: { after: bigint; upTo: bigint },
): Promise<string[]> {
  const { rows } = await store.query<{ tenant_id: string }>(EVERY_TENANT, {
    name: 'tenants-with-events',
    text: `SELECT t.id AS tenant_id
           FROM unnest($1::text[]) AS t (id)
           WHERE EXISTS (SELECT FROM outbox o WHERE o.tenant_id = t.id AND o.id > $2 AND o.id <= $3)`,
    values: [tenantIds, String(after), String(upTo)],
  });
  return rows.map((row) => row.tenant_id);
}

/** Returns the first `limit` events of a session; `null` when the tenant has no such session. */
export async function listSessionEvents(store: Store, tenantId: string, sessionId: string, limit: number) {
  return readForTenant(store, tenantId, async (db) => {
    const session = await db.session.findFirst({ where: { id: sessionId, tenant_id: tenantId }, select: { id: true } });
    if (session === null) return null;
    return db.outbox.findMany({
      where: { tenant_id: tenantId, session_id: sessionId },
      orderBy: { seq: 'asc' },
      take: limit,
    });
  });
}
