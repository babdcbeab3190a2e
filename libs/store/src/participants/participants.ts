import { readForTenant, type Store, type Tx } from '../database/store.ts';
import type { Role } from '../legs/legs.ts';

/** Adds a participant to a room's roster. */
export async function insertParticipant(
  tx: Tx,
  tenantId: string,
  roomId: string,
  participant: { id: string; name: string; kind: 'browser' | 'caller' | 'dialled'; role?: Role },
): Promise<void> {
  await tx.query({
    name: 'insert-participant',
    text: `INSERT INTO participant (id, tenant_id, room_id, kind, name, role)
           VALUES ($1, $2, $3, $4, $5, $6)`,
    values: [participant.id, tenantId, roomId, participant.kind, participant.name, participant.role ?? 'participant'],
  });
}

/**
 * Returns a participant's role and when they were removed; `null` when the tenant has no such
 * participant.
 */
export async function findParticipant(
  tx: Tx,
  tenantId: string,
  id: string,
): Promise<{ role: Role; removed_at: Date | null } | null> {
  const { rows } = await tx.query<{ role: Role; removed_at: Date | null }>({
    name: 'find-participant',
    text: `SELECT role, removed_at
           FROM participant
           WHERE tenant_id = $1 AND id = $2`,
    values: [tenantId, id],
  });
  return rows[0] ?? null;
}

/** The leg by which a participant is connected. */
export interface ConnectedLeg {
  readonly id: string;
  readonly session_id: string;
  readonly account_id: string | null;
  readonly voice_call_id: string | null;
  readonly media_connection_id: string | null;
  readonly media_session_id: string | null;
}

/**
 * Returns a participant's newest connected leg; `not-connected` without one, `null` when the tenant
 * has no such participant.
 */
export async function findConnectedLeg(
  store: Store,
  tenantId: string,
  participantId: string,
): Promise<ConnectedLeg | 'not-connected' | null> {
  const { rows } = await store.query<{ [C in keyof ConnectedLeg]: ConnectedLeg[C] | null }>(tenantId, {
    name: 'leg-there',
    text: `SELECT l.id, l.session_id, l.account_id, l.voice_call_id, l.media_connection_id, s.media_session_id
           FROM participant p
           LEFT JOIN leg l ON l.participant_id = p.id AND l.tenant_id = p.tenant_id
             AND l.state IN ('answered', 'joined')
             AND (l.voice_call_id IS NOT NULL OR l.media_connection_id IS NOT NULL)
           LEFT JOIN session s ON s.id = l.session_id
           WHERE p.tenant_id = $1 AND p.id = $2
           ORDER BY l.created_at DESC NULLS LAST
           LIMIT 1`,
    values: [tenantId, participantId],
  });
  const found = rows[0];
  if (found === undefined) return null;
  return found.id === null ? 'not-connected' : (found as ConnectedLeg);
}

/**
 * A participant may have several legs (a browser that reconnects). The newest one that has not
 * ended counts, else the newest.
 */
const NEWEST = [{ created_at: 'desc' }, { id: 'desc' }] as const;

/**
 * Returns a participant with their current leg, or else the last one; `null` when the tenant has no
 * such participant.
 */
export async function readParticipant(store: Store, tenantId: string, id: string) {
  return readForTenant(store, tenantId, async (db) => {
    const person = await db.participant.findFirst({ where: { id, tenant_id: tenantId } });
    if (person === null) return null;
    const theirs = { tenant_id: tenantId, participant_id: id };
    const leg =
      (await db.leg.findFirst({ where: { ...theirs, state: { not: 'ended' } }, orderBy: [...NEWEST] })) ??
      (await db.leg.findFirst({ where: theirs, orderBy: [...NEWEST] }));
    return { person, leg };
  });
}

interface RosterRow {
  readonly id: string;
  readonly room_id: string;
  readonly name: string;
  readonly kind: string;
  readonly role: string;
  readonly removed_at: Date | null;
  readonly leg_id: string | null;
}

/**
 * Returns a page of the roster of a room's newest session, in the order of creation: the
 * participants added since the session began, and all others with a leg in it. Each comes with
 * their current leg, or else the last one. `no-room`: the tenant has no such room; `no-page`:
 * `after` is not a participant of the room.
 */
export async function listRoster(
  store: Store,
  tenantId: string,
  roomId: string,
  { limit, after }: { limit: number; after?: string | undefined },
) {
  return readForTenant(store, tenantId, async (db) => {
    const room = await db.room.findFirst({
      where: { id: roomId, tenant_id: tenantId },
      select: { sessions: { orderBy: { created_at: 'desc' }, take: 1, select: { id: true, created_at: true } } },
    });
    if (room === null) return 'no-room';
    if (
      after !== undefined &&
      (await db.participant.count({ where: { id: after, tenant_id: tenantId, room_id: roomId } })) === 0
    )
      return 'no-page';
    const session = room.sessions[0];
    if (session === undefined) return [];
    const people = await db.$queryRaw<RosterRow[]>`
      SELECT p.id, p.room_id, p.name, p.kind, p.role, p.removed_at, l.id AS leg_id
      FROM participant p
      LEFT JOIN LATERAL (
        SELECT l.id
        FROM leg l
        WHERE l.participant_id = p.id AND l.session_id = ${session.id}
        ORDER BY l.state <> 'ended' DESC, l.created_at DESC, l.id DESC
        LIMIT 1
      ) AS l ON true
      WHERE p.tenant_id = ${tenantId} AND p.room_id = ${roomId}
        AND (
          p.created_at >= ${session.created_at}
          OR p.id IN (SELECT s.participant_id FROM leg s WHERE s.session_id = ${session.id})
        )
        AND (
          ${after ?? null}::text IS NULL
          OR (p.created_at, p.id) > (SELECT a.created_at, a.id FROM participant a WHERE a.id = ${after ?? null})
        )
      ORDER BY p.created_at, p.id
      LIMIT ${limit}`;
    const legs = await db.leg.findMany({
      where: { tenant_id: tenantId, id: { in: people.flatMap(({ leg_id }) => leg_id ?? []) } },
    });
    const byId = new Map(legs.map((leg) => [leg.id, leg]));
    return people.map((person) => ({ person, leg: person.leg_id === null ? null : (byId.get(person.leg_id) ?? null) }));
  });
}

/** Renames a participant. Returns whether the name changed. */
export async function saveParticipantName(tx: Tx, tenantId: string, id: string, name: string): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'rename-participant',
    text: 'UPDATE participant SET name = $3 WHERE tenant_id = $1 AND id = $2 AND name <> $3',
    values: [tenantId, id, name],
  });
  return rowCount === 1;
}

/**
 * Marks a participant as removed: later connections with their token are hung up. Returns `false`
 * when they were removed before.
 */
export async function markParticipantRemoved(tx: Tx, tenantId: string, id: string): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'remove-participant',
    text: 'UPDATE participant SET removed_at = now() WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL',
    values: [tenantId, id],
  });
  return rowCount === 1;
}
