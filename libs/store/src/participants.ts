import type { Role } from './session-view.ts';
import type { Tx } from './store.ts';

/** What matters of a person when they come: host or not, and whether they were sent out. `null` when the tenant has no such person. */
export async function findPerson(tx: Tx, tenantId: string, id: string): Promise<{ role: Role; removed: boolean } | null> {
  const { rows } = await tx.query<{ role: Role; removed: boolean }>({
    name: 'find-person',
    text: 'SELECT role, removed_at IS NOT NULL AS removed FROM participant WHERE tenant_id = $1 AND id = $2',
    values: [tenantId, id],
  });
  return rows[0] ?? null;
}
