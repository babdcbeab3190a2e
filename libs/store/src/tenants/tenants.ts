import type { tenant } from '../generated/client.ts';
import { EVERY_TENANT, inTransaction, type Store, type Tx } from '../database/store.ts';

/* Platform-wide: tenants are the operator's. A tenant may only read its own row. */

export type TenantRow = Omit<tenant, 'max_spend_micro_per_month'> & {
  /** Text, as the driver returns a bigint. */
  max_spend_micro_per_month: string | null;
};

/** Inserts a tenant. Settings that are left out get the table's defaults. */
export async function insertTenant(
  tx: Tx,
  tenantId: string,
  wanted: Partial<TenantSettings> & Pick<TenantSettings, 'name'>,
): Promise<TenantRow> {
  const columns = SETTINGS.filter((column) => wanted[column] !== undefined);
  const values = columns.map((column, i) =>
    column === 'fraud_limits' ? `jsonb_strip_nulls($${i + 2}::jsonb)` : `$${i + 2}`,
  );
  const { rows } = await tx.query<TenantRow>({
    text: `INSERT INTO tenant (id, ${columns.join(', ')})
           VALUES ($1, ${values.join(', ')})
           RETURNING *`,
    values: [tenantId, ...columns.map((column) => wanted[column])],
  });
  return rows[0]!;
}

/** Returns a tenant; `null` when there is none. */
export async function readTenant(store: Store, tenantId: string): Promise<TenantRow | null> {
  const { rows } = await store.query<TenantRow>(EVERY_TENANT, {
    name: 'read-tenant',
    text: 'SELECT * FROM tenant WHERE id = $1',
    values: [tenantId],
  });
  return rows[0] ?? null;
}

const TENANT_STATES = ['active', 'suspended', 'all'] as const;
type TenantState = (typeof TENANT_STATES)[number];
const IN_STATE: Readonly<Record<TenantState, string>> = {
  active: 'suspended_at IS NULL',
  suspended: 'suspended_at IS NOT NULL',
  all: 'true',
};

/** Returns a page of all tenants, newest first. `after` is the last id of the page before. */
export async function listTenants(
  store: Store,
  { state, limit, after }: { state: TenantState; limit: number; after?: string },
): Promise<TenantRow[]> {
  const { rows } = await store.query<TenantRow>(EVERY_TENANT, {
    name: `list-tenants-${state}`,
    text: `SELECT *
           FROM tenant
           WHERE ${IN_STATE[state]}
             AND (created_at, id) < (
               COALESCE((SELECT c.created_at FROM tenant c WHERE c.id = $2), 'infinity'),
               COALESCE($2::text, '')
             )
           ORDER BY created_at DESC, id DESC
           LIMIT $1`,
    values: [limit, after ?? null],
  });
  return rows;
}

/** The columns that an operator sets. */
const SETTINGS = [
  'name',
  'home_country',
  'allowed_countries',
  'max_live_rooms',
  'max_live_legs',
  'max_dial_outs_per_minute',
  'max_requests_per_minute',
  'currency',
  'max_minutes_per_month',
  'max_spend_micro_per_month',
  'fraud_limits',
] as const satisfies readonly (keyof TenantRow)[];
export type TenantSettings = Pick<TenantRow, (typeof SETTINGS)[number]>;

/**
 * Updates the given settings of a tenant; returns the tenant with the changed settings before and
 * after, or `null` when there is none. A fraud limit that is left out keeps its value; null deletes
 * it.
 */
export async function updateTenant(
  store: Store,
  tenantId: string,
  wanted: Partial<TenantSettings>,
): Promise<{ tenant: TenantRow; before: Partial<TenantSettings>; after: Partial<TenantSettings> } | null> {
  const columns = SETTINGS.filter((column) => wanted[column] !== undefined);
  return inTransaction(store, EVERY_TENANT, async (tx) => {
    const before = await lockTenant(tx, tenantId);
    if (before === null) return null;
    if (columns.length === 0) return { tenant: before, before: {}, after: {} };
    const assignments = columns.map((column, i) =>
      column === 'fraud_limits'
        ? `fraud_limits = jsonb_strip_nulls(fraud_limits || $${i + 2}::jsonb)`
        : `${column} = $${i + 2}`,
    );
    const { rows } = await tx.query<TenantRow>({
      text: `UPDATE tenant
             SET ${assignments.join(', ')}
             WHERE id = $1
             RETURNING *`,
      values: [tenantId, ...columns.map((column) => wanted[column])],
    });
    const tenant = rows[0]!;
    const changed = (row: TenantRow): Partial<TenantSettings> =>
      Object.fromEntries(columns.map((column) => [column, row[column]]));
    return { tenant, before: changed(before), after: changed(tenant) };
  });
}

/** Locks a tenant, also against new rows that reference it; `null` when there is none. */
export async function lockTenant(tx: Tx, tenantId: string): Promise<TenantRow | null> {
  const { rows } = await tx.query<TenantRow>({
    name: 'lock-tenant',
    text: 'SELECT * FROM tenant WHERE id = $1 FOR UPDATE',
    values: [tenantId],
  });
  return rows[0] ?? null;
}

/**
 * Suspends a tenant, `null` when there is none. A suspended tenant keeps the time of its
 * suspension.
 */
export async function suspendTenant(store: Store, tenantId: string): Promise<TenantRow | null> {
  const { rows } = await store.query<TenantRow>(EVERY_TENANT, {
    name: 'suspend-tenant',
    text: 'UPDATE tenant SET suspended_at = COALESCE(suspended_at, now()) WHERE id = $1 RETURNING *',
    values: [tenantId],
  });
  return rows[0] ?? null;
}

/** Ends a tenant's suspension; `null` when there is none. */
export async function resumeTenant(store: Store, tenantId: string): Promise<TenantRow | null> {
  const { rows } = await store.query<TenantRow>(EVERY_TENANT, {
    name: 'resume-tenant',
    text: 'UPDATE tenant SET suspended_at = NULL WHERE id = $1 RETURNING *',
    values: [tenantId],
  });
  return rows[0] ?? null;
}

/** Returns the open and live sessions of a tenant, at most `limit`, oldest first. */
export async function listRunningSessions(store: Store, tenantId: string, limit: number): Promise<string[]> {
  const { rows } = await store.query<{ id: string }>(tenantId, {
    name: 'running-sessions',
    text: `SELECT id
           FROM session
           WHERE tenant_id = $1 AND state IN ('open', 'live')
           ORDER BY created_at
           LIMIT $2`,
    values: [tenantId, limit],
  });
  return rows.map(({ id }) => id);
}
