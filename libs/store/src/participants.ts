import type { Role } from './session-view.ts';
import { readAs, type Store, type Tx } from './store.ts';

/** What matters of a person when they come: host or not, and whether they were sent out. `null` when the tenant has no such person. */
export async function findPerson(tx: Tx, tenantId: string, id: string): Promise<{ role: Role; removed: boolean } | null> {
  const { rows } = await tx.query<{ role: Role; removed: boolean }>({
    name: 'find-person',
    text: 'SELECT role, removed_at IS NOT NULL AS removed FROM participant WHERE tenant_id = $1 AND id = $2',
    values: [tenantId, id],
  });
  return rows[0] ?? null;
}

/** The connection by which somebody is there. */
export interface LegThere {
  readonly id: string;
  readonly session_id: string;
  readonly account_id: string | null;
  readonly voice_call_id: string | null;
  readonly media_connection_id: string | null;
  readonly media_session_id: string | null;
}

/** The newest connection by which somebody is in a session; `away` when there is none, `null` when the tenant has no such person. */
export async function findLegThere(store: Store, tenantId: string, participantId: string): Promise<LegThere | 'away' | null> {
  const { rows } = await store.query<{ [C in keyof LegThere]: LegThere[C] | null }>(tenantId, {
    name: 'leg-there',
    text: `SELECT l.id, l.session_id, l.account_id, l.voice_call_id, l.media_connection_id, s.media_session_id FROM participant p
           LEFT JOIN leg l ON l.participant_id = p.id AND l.tenant_id = p.tenant_id AND l.state IN ('answered', 'joined') AND (l.voice_call_id IS NOT NULL OR l.media_connection_id IS NOT NULL)
           LEFT JOIN session s ON s.id = l.session_id
           WHERE p.tenant_id = $1 AND p.id = $2 ORDER BY l.created_at DESC NULLS LAST LIMIT 1`,
    values: [tenantId, participantId],
  });
  const found = rows[0];
  if (found === undefined) return null;
  return found.id === null ? 'away' : (found as LegThere);
}

/** A person with all their connections, oldest first; `null` when this tenant has none of that id. */
export async function readParticipant(store: Store, tenantId: string, id: string) {
  return readAs(store, tenantId, async (db) => {
    const person = await db.participant.findFirst({ where: { id, tenant_id: tenantId } });
    return person === null ? null : { person, legs: await db.leg.findMany({ where: { tenant_id: tenantId, participant_id: id }, orderBy: [{ created_at: 'asc' }, { id: 'asc' }] }) };
  });
}

/** Gives a person another name; `false` when the tenant has no such person. */
export async function renameParticipant(store: Store, tenantId: string, id: string, name: string): Promise<boolean> {
  const { rowCount } = await store.query(tenantId, { name: 'rename-participant', text: 'UPDATE participant SET name = $3 WHERE tenant_id = $1 AND id = $2', values: [tenantId, id, name] });
  return rowCount === 1;
}

/** Sends a person out: what comes by their token from now on is hung up. */
export async function markRemoved(tx: Tx, tenantId: string, id: string): Promise<void> {
  await tx.query({ name: 'remove-participant', text: 'UPDATE participant SET removed_at = COALESCE(removed_at, now()) WHERE tenant_id = $1 AND id = $2', values: [tenantId, id] });
}
