import { EVERY_TENANT, type Store } from '../database/store.ts';

/** A tenant's data key, wrapped with a master key. */
interface DataKeyRow {
  readonly keyId: string;
  readonly wrapped: Uint8Array;
}

const COLUMNS = 'master_key_id AS "keyId", wrapped';

/** A tenant's data key; `null` when it has none yet. */
export async function readDataKey(store: Store, tenantId: string): Promise<DataKeyRow | null> {
  const { rows } = await store.query<DataKeyRow>(tenantId, {
    name: 'read-data-key',
    text: `SELECT ${COLUMNS} FROM tenant_data_key WHERE tenant_id = $1`,
    values: [tenantId],
  });
  return rows[0] ?? null;
}

/** Gives a tenant this data key unless it has one; answers the one that it has then. */
export async function ensureDataKey(store: Store, tenantId: string, made: DataKeyRow): Promise<DataKeyRow> {
  const before = await readDataKey(store, tenantId);
  if (before !== null) return before;
  await store.query(tenantId, {
    name: 'insert-data-key',
    text: 'INSERT INTO tenant_data_key (tenant_id, wrapped, master_key_id) VALUES ($1, $2, $3) ON CONFLICT (tenant_id) DO NOTHING',
    values: [tenantId, made.wrapped, made.keyId],
  });
  // Read anew: of two who made one at once, the other's may be the one that stays.
  return (await readDataKey(store, tenantId))!;
}

/** Data keys of all tenants that another master key than this one wrapped, in the order of their tenants, after `after`. */
export async function listDataKeysToRewrap(
  store: Store,
  wrapsWith: string,
  { after, limit }: { after: string; limit: number },
): Promise<(DataKeyRow & { tenantId: string })[]> {
  const { rows } = await store.query<DataKeyRow & { tenantId: string }>(EVERY_TENANT, {
    name: 'data-keys-to-rewrap',
    text: `SELECT tenant_id AS "tenantId", ${COLUMNS} FROM tenant_data_key WHERE master_key_id <> $1 AND tenant_id > $2 ORDER BY tenant_id LIMIT $3`,
    values: [wrapsWith, after, limit],
  });
  return rows;
}

/** Puts a data key, wrapped anew, in place of what it was; `false` when it is not that any more. */
export async function replaceDataKey(
  store: Store,
  tenantId: string,
  before: DataKeyRow,
  after: DataKeyRow,
): Promise<boolean> {
  const { rowCount } = await store.query(tenantId, {
    name: 'replace-data-key',
    text: 'UPDATE tenant_data_key SET wrapped = $3, master_key_id = $4 WHERE tenant_id = $1 AND wrapped = $2',
    values: [tenantId, before.wrapped, after.wrapped, after.keyId],
  });
  return rowCount === 1;
}

/** How many data keys each master key has wrapped. */
export async function countDataKeys(store: Store): Promise<{ keyId: string; keys: number }[]> {
  const { rows } = await store.query<{ keyId: string; keys: number }>(EVERY_TENANT, {
    name: 'count-data-keys',
    text: 'SELECT master_key_id AS "keyId", count(*)::int AS keys FROM tenant_data_key GROUP BY 1 ORDER BY 1',
    values: [],
  });
  return rows;
}
