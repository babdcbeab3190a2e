import { EVERY_TENANT, inTransaction, readForTenant, type Store } from '../database/store.ts';

/** What an event is about: a session, or one of the tenant's own endpoints. */
export interface EventSubject {
  readonly session_id: string | null;
  readonly endpoint_id: string | null;
  readonly seq: number;
}

/** An event of a tenant's, as it is told. */
export interface OutboxRow extends EventSubject {
  readonly id: string;
  readonly room_id: string | null;
  readonly type: string;
  readonly data: Record<string, unknown>;
  readonly created_at: Date;
}

/** An event's name outside: always the same for the same event, and nobody else's. */
export const eventId = ({ session_id, endpoint_id, seq }: EventSubject): string =>
  `evt_${(session_id ?? endpoint_id ?? '').replace(/^(ses|ep)_/, '')}_${seq}`;

/** The two things that an event of this name can be about; `null` for what cannot be an event's name. */
function subjectsOf(
  id: string,
): { readonly sessionId: string; readonly endpointId: string; readonly seq: number } | null {
  const [, of, seq] = /^evt_([\w-]{1,64})_([1-9]\d{0,8})$/.exec(id) ?? [];
  return of === undefined ? null : { sessionId: `ses_${of}`, endpointId: `ep_${of}`, seq: Number(seq) };
}

/** For so long events are told, gone on from and sent again. */
const LISTED_FOR = `interval '30 days'`;
/** An hour longer they are kept, so that whoever pages through the oldest can ask for the next page. */
export const RETAINED_FOR = `interval '30 days 1 hour'`;

/** The columns of an `OutboxRow`, of a table called `o`. */
export const OUTBOX_COLUMNS = 'o.id, o.room_id, o.session_id, o.endpoint_id, o.seq, o.type, o.data, o.created_at';

/** Where an event stands among all of its tenant's. */
interface EventPosition {
  /** Its place in the order of all; null: there was such an event, and it was deleted. */
  readonly id: string | null;
  /** So long ago that what came after it may have been deleted: nobody can go on from here and miss nothing. */
  readonly old: boolean;
}

/** The place of a tenant's event; `null` when it never had one of this name. */
export async function findEventPosition(store: Store, tenantId: string, id: string): Promise<EventPosition | null> {
  const about = subjectsOf(id);
  if (about === null) return null;
  const { rows } = await store.query<{ id: string | null; old: boolean }>(tenantId, {
    name: 'find-event',
    // What it is about outlives it, and counted it.
    text: `SELECT id, created_at < now() - ${RETAINED_FOR} AS old FROM outbox WHERE tenant_id = $1 AND session_id = $2 AND seq = $4
           UNION ALL SELECT id, created_at < now() - ${RETAINED_FOR} FROM outbox WHERE tenant_id = $1 AND endpoint_id = $3 AND seq = $4
           UNION ALL SELECT NULL, true FROM session WHERE tenant_id = $1 AND id = $2 AND last_seq >= $4
           UNION ALL SELECT NULL, true FROM endpoint WHERE tenant_id = $1 AND id = $3 AND last_seq >= $4
           ORDER BY id NULLS LAST LIMIT 1`,
    values: [tenantId, about.sessionId, about.endpointId, about.seq],
  });
  return rows[0] ?? null;
}

/**
 * A tenant's events after one place and up to another, in the order in which they were written.
 * @param after null: from the oldest on that is told, 30 days ago
 * @param types only those; none: all
 */
export async function listEvents(
  store: Store,
  tenantId: string,
  { after, upTo, types, limit }: { after: string | null; upTo: string; types: readonly string[]; limit: number },
): Promise<OutboxRow[]> {
  const { rows } = await store.query<OutboxRow>(tenantId, {
    name: 'list-events',
    text: `SELECT ${OUTBOX_COLUMNS} FROM outbox o WHERE o.tenant_id = $1 AND o.id > COALESCE($2::bigint, 0) AND ($2::bigint IS NOT NULL OR o.created_at >= now() - ${LISTED_FOR})
             AND o.id <= $3 AND (cardinality($4::text[]) = 0 OR o.type = ANY($4)) ORDER BY o.id LIMIT $5`,
    values: [tenantId, after, upTo, types, limit],
  });
  return rows;
}

/** The name of a tenant's last event up to a place, to go on from; `null` when it has none that is still told. */
export async function findLastEventId(store: Store, tenantId: string, upTo: string): Promise<string | null> {
  const { rows } = await store.query<EventSubject>(tenantId, {
    name: 'last-event-up-to',
    text: `SELECT session_id, endpoint_id, seq FROM outbox WHERE tenant_id = $1 AND id <= $2 AND created_at >= now() - ${LISTED_FOR} ORDER BY id DESC LIMIT 1`,
    values: [tenantId, upTo],
  });
  return rows[0] === undefined ? null : eventId(rows[0]);
}

/** What was written, and who was writing, at one moment. */
interface Horizon {
  /** The last event that could be seen. */
  readonly lastId: bigint;
  /** Whoever was writing at that moment has a smaller number. */
  readonly xid: bigint;
  /** A moment later: nobody who is still writing has a smaller number than this. */
  readonly oldest: bigint;
}

/**
 * Events are numbered when they are written, and seen when they are committed, so one can be seen before another with a smaller number. Whoever writes
 * one holds a lock, and so has a transaction's number, before the event gets its own: once nobody with a number below this moment's `xid` is
 * writing, no event up to this moment's `lastId` can come any more.
 */
export async function readHorizon(store: Store): Promise<Horizon> {
  return inTransaction(store, EVERY_TENANT, async (tx) => {
    // The upper end of a snapshot would not do for `xid`: it is above the last transaction that is over, not above all that have begun.
    const { rows: now } = await tx.query<{ last_id: string; xid: string }>({
      name: 'last-event',
      text: 'SELECT COALESCE((SELECT max(id) FROM outbox), 0) AS last_id, pg_current_xact_id()::text AS xid',
      values: [],
    });
    const { rows: then } = await tx.query<{ oldest: string }>({
      name: 'oldest-writer',
      text: 'SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS oldest',
      values: [],
    });
    return { lastId: BigInt(now[0]!.last_id), xid: BigInt(now[0]!.xid), oldest: BigInt(then[0]!.oldest) };
  });
}

/** Of these tenants, those who have an event after one place and up to another. */
export async function listTenantsWithEvents(
  store: Store,
  tenantIds: readonly string[],
  { after, upTo }: { after: bigint; upTo: bigint },
): Promise<string[]> {
  const { rows } = await store.query<{ tenant_id: string }>(EVERY_TENANT, {
    name: 'tenants-with-events',
    text: 'SELECT t.id AS tenant_id FROM unnest($1::text[]) AS t (id) WHERE EXISTS (SELECT FROM outbox o WHERE o.tenant_id = t.id AND o.id > $2 AND o.id <= $3)',
    values: [tenantIds, String(after), String(upTo)],
  });
  return rows.map((row) => row.tenant_id);
}

/** The first `limit` events of a session; `null` when this tenant has no such session. */
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
