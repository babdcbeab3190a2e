import type { SessionState } from '@partyline/domain/session';
import { createdBetween, olderThan } from '../database/page.ts';
import { readForTenant, type Store, type Tx } from '../database/store.ts';
import type { RoomRow } from './session-lock.ts';

export interface NewSession {
  readonly id: string;
  readonly conversation: string;
  readonly mediaSessionId: string | null;
  /** The account of the room's number; null: the platform's. */
  readonly accountId: string | null;
}

/**
 * Opens a session in a room and returns its deadline. Throws a unique violation (23505) when the
 * room has a current session.
 */
export async function insertSession(tx: Tx, tenantId: string, room: RoomRow, session: NewSession): Promise<Date> {
  // The earliest of "never used", "max duration" and the room's end, as settling computes it too
  // (session-clock.ts).
  const unused = room.never_used_s !== null && room.never_used_s < room.max_duration_s;
  const { rows } = await tx.query<{ due_at: Date }>({
    name: 'insert-session',
    text: `INSERT INTO session (id, tenant_id, room_id, state, conversation, media_session_id, due_at, due_reason,
             account_id)
           SELECT $1, $2, $3, 'open', $4, $5, LEAST(due, $8), CASE WHEN $8 < due THEN 'schedule-ended' ELSE $7 END, $9
           FROM (SELECT now() + make_interval(secs => $6) AS due) AS clock
           RETURNING due_at`,
    values: [
      session.id,
      tenantId,
      room.id,
      session.conversation,
      session.mediaSessionId,
      unused ? room.never_used_s : room.max_duration_s,
      unused ? 'never-used' : 'max-duration',
      room.ends_at,
      session.accountId,
    ],
  });
  return rows[0]!.due_at;
}

/** Returns the state and end of a room's newest session, `null` for a room without sessions. */
export async function readLastUse(
  tx: Tx,
  tenantId: string,
  roomId: string,
): Promise<{ state: SessionState; ended_at: Date | null } | null> {
  const { rows } = await tx.query<{ state: SessionState; ended_at: Date | null }>({
    name: 'last-use-of-room',
    text: `SELECT state, ended_at
           FROM session
           WHERE room_id = $1 AND tenant_id = $2
           ORDER BY created_at DESC
           LIMIT 1`,
    values: [roomId, tenantId],
  });
  return rows[0] ?? null;
}

/**
 * Returns a room's newest session, the only one that can be current; `null` for a room without
 * sessions.
 */
export async function findNewestSession(
  tx: Tx,
  tenantId: string,
  roomId: string,
): Promise<{ readonly id: string; readonly state: SessionState } | null> {
  const { rows } = await tx.query<{ id: string; state: SessionState }>({
    name: 'newest-session',
    text: `SELECT id, state
           FROM session
           WHERE room_id = $1 AND tenant_id = $2
           ORDER BY created_at DESC
           LIMIT 1`,
    values: [roomId, tenantId],
  });
  return rows[0] ?? null;
}

interface SessionQuery {
  readonly roomId?: string | undefined;
  readonly state?: 'open' | 'live' | 'ending' | 'ended' | undefined;
  readonly createdAfter?: Date | undefined;
  readonly createdBefore?: Date | undefined;
  readonly limit: number;
  /** The last id of the page before. */
  readonly after?: string | undefined;
}

/** Returns a page of a tenant's sessions, newest first; `null` when `after` is not one of them. */
export async function listSessions(store: Store, tenantId: string, { limit, after, ...wanted }: SessionQuery) {
  return readForTenant(store, tenantId, async (db) => {
    const last =
      after === undefined
        ? undefined
        : await db.session.findFirst({
            where: { id: after, tenant_id: tenantId },
            select: { id: true, created_at: true },
          });
    if (last === null) return null;
    return db.session.findMany({
      where: {
        tenant_id: tenantId,
        ...(wanted.roomId === undefined ? {} : { room_id: wanted.roomId }),
        ...(wanted.state === undefined ? {} : { state: wanted.state }),
        ...createdBetween(wanted.createdAfter, wanted.createdBefore),
        ...olderThan(last),
      },
      orderBy: [{ created_at: 'desc' }, { id: 'desc' }],
      take: limit,
    });
  });
}

/**
 * Returns the session id of a tenant's leg; `null` when there is no such leg, or it has no session.
 */
export async function findSessionOfLeg(store: Store, tenantId: string, legId: string): Promise<string | null> {
  const { rows } = await store.query<{ session_id: string | null }>(tenantId, {
    name: 'session-of-leg',
    text: 'SELECT session_id FROM leg WHERE id = $1 AND tenant_id = $2',
    values: [legId, tenantId],
  });
  return rows[0]?.session_id ?? null;
}

/**
 * Returns the provider's video session of a tenant's leg; `null` when there is no such leg or video
 * session.
 */
export async function findMediaSessionOfLeg(tx: Tx, tenantId: string, legId: string): Promise<string | null> {
  const { rows } = await tx.query<{ media_session_id: string | null }>({
    name: 'media-of-leg',
    text: `SELECT s.media_session_id
           FROM leg l
           JOIN session s ON s.id = l.session_id
           WHERE l.id = $1 AND l.tenant_id = $2`,
    values: [legId, tenantId],
  });
  return rows[0]?.media_session_id ?? null;
}

/** Whether a tenant's session runs, so that connections may join it. */
export async function isSessionRunning(tx: Tx, tenantId: string, sessionId: string): Promise<boolean> {
  const { rows } = await tx.query({
    name: 'running-session',
    text: `SELECT id FROM session WHERE id = $1 AND tenant_id = $2 AND state IN ('open', 'live')`,
    values: [sessionId, tenantId],
  });
  return rows.length > 0;
}

interface MediaSession {
  readonly account_id: string | null;
  readonly media_session_id: string | null;
  readonly conversation: string;
}

/**
 * Returns the provider account, video session and voice conference of a tenant's session; `null`
 * when there is no such session.
 */
export async function findMediaSession(
  store: Store,
  tenantId: string,
  sessionId: string,
): Promise<MediaSession | null> {
  const { rows } = await store.query<MediaSession>(tenantId, {
    name: 'media-of-session',
    text: 'SELECT account_id, media_session_id, conversation FROM session WHERE id = $1 AND tenant_id = $2',
    values: [sessionId, tenantId],
  });
  return rows[0] ?? null;
}

/** Returns a session with its first `limit` legs; `null` when the tenant has no such session. */
export async function readSession(store: Store, tenantId: string, sessionId: string, limit: number) {
  return readForTenant(store, tenantId, (db) =>
    db.session.findFirst({
      where: { id: sessionId, tenant_id: tenantId },
      include: { legs: { orderBy: [{ created_at: 'asc' }, { id: 'asc' }], take: limit } },
    }),
  );
}
