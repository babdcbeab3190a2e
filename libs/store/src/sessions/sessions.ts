import { olderThan } from '../database/page.ts';
import { between } from '../rooms/rooms.ts';
import { readAs, type Store } from '../database/store.ts';

interface SessionsWanted {
  readonly roomId?: string | undefined;
  readonly state?: 'open' | 'live' | 'ending' | 'ended' | undefined;
  readonly createdAfter?: Date | undefined;
  readonly createdBefore?: Date | undefined;
  readonly limit: number;
  /** The last id of the page before. */
  readonly after?: string | undefined;
}

/** A page of a tenant's sessions, newest first; `null` when `after` is no session of its own. */
export async function listSessions(store: Store, tenantId: string, { limit, after, ...wanted }: SessionsWanted) {
  return readAs(store, tenantId, async (db) => {
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
        ...between(wanted.createdAfter, wanted.createdBefore),
        ...olderThan(last),
      },
      orderBy: [{ created_at: 'desc' }, { id: 'desc' }],
      take: limit,
    });
  });
}

/** The session that a tenant's leg is in; `null` when the tenant has no such leg, or it is in none. */
export async function sessionOfLeg(store: Store, tenantId: string, legId: string): Promise<string | null> {
  const { rows } = await store.query<{ session_id: string | null }>(tenantId, {
    name: 'session-of-leg',
    text: 'SELECT session_id FROM leg WHERE id = $1 AND tenant_id = $2',
    values: [legId, tenantId],
  });
  return rows[0]?.session_id ?? null;
}

/** The provider's video session that a tenant's leg is in; `null` for one that is in none, or no such leg of this tenant. */
export async function mediaOfLeg(store: Store, tenantId: string, legId: string): Promise<string | null> {
  const { rows } = await store.query<{ media_session_id: string | null }>(tenantId, {
    name: 'media-of-leg',
    text: 'SELECT s.media_session_id FROM leg l JOIN session s ON s.id = l.session_id WHERE l.id = $1 AND l.tenant_id = $2',
    values: [legId, tenantId],
  });
  return rows[0]?.media_session_id ?? null;
}

/** At which account a tenant's session is, and its video session there, null while it has none; `null` when the tenant has no such session. */
export async function mediaOfSession(
  store: Store,
  tenantId: string,
  sessionId: string,
): Promise<{ account_id: string | null; media_session_id: string | null } | null> {
  const { rows } = await store.query<{ account_id: string | null; media_session_id: string | null }>(tenantId, {
    name: 'media-of-session',
    text: 'SELECT account_id, media_session_id FROM session WHERE id = $1 AND tenant_id = $2',
    values: [sessionId, tenantId],
  });
  return rows[0] ?? null;
}

/** A session with its first `limit` legs; `null` when this tenant has none of that id. */
export async function readSession(store: Store, tenantId: string, sessionId: string, limit: number) {
  return readAs(store, tenantId, (db) =>
    db.session.findFirst({
      where: { id: sessionId, tenant_id: tenantId },
      include: { legs: { orderBy: [{ created_at: 'asc' }, { id: 'asc' }], take: limit } },
    }),
  );
}
