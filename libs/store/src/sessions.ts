import { olderThan } from './page.ts';
import { between } from './rooms.ts';
import { readAs, type Store } from './store.ts';

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
    const last = after === undefined ? undefined : await db.session.findFirst({ where: { id: after, tenant_id: tenantId }, select: { id: true, created_at: true } });
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

/** A session with its first `limit` legs; `null` when this tenant has none of that id. */
export async function readSession(store: Store, tenantId: string, sessionId: string, limit: number) {
  return readAs(store, tenantId, (db) => db.session.findFirst({ where: { id: sessionId, tenant_id: tenantId }, include: { legs: { orderBy: [{ created_at: 'asc' }, { id: 'asc' }], take: limit } } }));
}
