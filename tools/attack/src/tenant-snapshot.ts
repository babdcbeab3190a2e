import { hash } from 'node:crypto';
import type { Store } from '@partyline/store/database/store';

/** Columns that the running services change on their own. */
const VOLATILE_COLUMNS = [
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
/**
 * Tables that the running services write on their own while they deliver events and repeat
 * hang-ups. The request for a hang-up is in `leg`.
 */
const VOLATILE_TABLES = new Set(['delivery', 'delivery_attempt', 'hang_up_attempt']);

/**
 * Lists every table with tenants' rows, from the database catalogue, so that new tables are
 * included.
 */
export async function listTenantTables(owner: Store): Promise<string[]> {
  const { rows } = await owner.pool.query<{ name: string }>(
    `SELECT c.relname AS name
     FROM pg_class c
     WHERE c.relkind IN ('r', 'p')
       AND c.relnamespace = 'public'::regnamespace
       AND EXISTS (
         SELECT FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
       )
     ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

/** A digest of a tenant's rows per table. It must be the same before and after an attack. */
export async function snapshotTenant(owner: Store, tenantId: string): Promise<ReadonlyMap<string, string>> {
  const state = new Map<string, string>();
  for (const table of (await listTenantTables(owner)).filter((name) => !VOLATILE_TABLES.has(name))) {
    const { rows } = await owner.pool.query<{ row: string }>(
      `SELECT (to_jsonb(t) - $1::text[])::text AS row FROM ${table} t WHERE tenant_id = $2 ORDER BY 1`,
      [VOLATILE_COLUMNS, tenantId],
    );
    state.set(table, `${rows.length} rows, ${hash('sha256', JSON.stringify(rows))}`);
  }
  return state;
}

/** Describes the tables that changed; null when nothing changed. */
export function describeChanges(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): string | null {
  const changed = [...after]
    .filter(([table, rows]) => before.get(table) !== rows)
    .map(
      ([table, rows]) => `${table} (${before.get(table)?.split(',')[0] ?? 'no'} before, ${rows.split(',')[0]} after)`,
    );
  return changed.length === 0 ? null : `changed rows of the tenant: ${changed.join(', ')}`;
}
