import { hash } from 'node:crypto';
import type { Store } from '@partyline/store/database/store';

/** Columns that running services move by themselves. */
const RESTLESS = [
  'version',
  'lease_until',
  'settle_due_at',
  'hangup_attempted_at',
  'hangup_attempts',
  'last_used_at',
  'due_at',
  'due_reason',
  'attempts',
  'next_try_at',
  'delivered_at',
  'bridge_due_at',
  'failures',
  'failing_since',
  'probe_at',
];
/** Tables that they write by themselves: sending what happened. */
const BUSY = new Set(['delivery', 'delivery_attempt']);

/** Every table that holds something of a tenant's, from the catalogue, so that a new one is not forgotten. */
export async function tenantTables(owner: Store): Promise<string[]> {
  const { rows } = await owner.pool.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
       AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

/** All that a tenant has, as one text a table: what must be the same before an attack and after it. */
export async function stateOf(owner: Store, tenantId: string): Promise<ReadonlyMap<string, string>> {
  const state = new Map<string, string>();
  for (const table of (await tenantTables(owner)).filter((name) => !BUSY.has(name))) {
    const { rows } = await owner.pool.query<{ row: string }>(
      `SELECT (to_jsonb(t) - $1::text[])::text AS row FROM ${table} t WHERE tenant_id = $2 ORDER BY 1`,
      [RESTLESS, tenantId],
    );
    state.set(table, `${rows.length} rows, ${hash('sha256', JSON.stringify(rows))}`);
  }
  return state;
}

/** What changed, in words; null when nothing did. */
export function difference(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string | null {
  const changed = [...after]
    .filter(([table, rows]) => before.get(table) !== rows)
    .map(
      ([table, rows]) => `${table} (${before.get(table)?.split(',')[0] ?? 'no'} before, ${rows.split(',')[0]} after)`,
    );
  return changed.length === 0 ? null : `changed the tenant’s ${changed.join(', ')}`;
}
