import { EVERY_TENANT, type Store } from '../database/store.ts';

/** A tenant's data key, encrypted with a master key. */
interface DataKeyRow {
  readonly keyId: string;
  readonly wrapped: Uint8Array;
}

const COLUMNS = 'master_key_id AS "keyId", wrapped';

/** Reads a tenant's data key; `null` when it has none. */
export async function readDataKey(store: Store, tenantId: string): Promise<DataKeyRow | null> {
  const { rows } = await store.query<DataKeyRow>(tenantId, {
    name: 'read-data-key',
    text: `SELECT ${COLUMNS} FROM tenant_data_key WHERE tenant_id = $1`,
    values: [tenantId],
  });
  return rows[0] ?? null;
}

/** Stores a data key unless the tenant has one. Returns the stored key. */
export async function ensureDataKey(store: Store, tenantId: string, newKey: DataKeyRow): Promise<DataKeyRow> {
  const before = await readDataKey(store, tenantId);
  if (before !== null) return before;
  await store.query(tenantId, {
    name: 'insert-data-key',
    text: `INSERT INTO tenant_data_key (tenant_id, wrapped, master_key_id)
           VALUES ($1, $2, $3)
           ON CONFLICT (tenant_id) DO NOTHING`,
    values: [tenantId, newKey.wrapped, newKey.keyId],
  });
  // Read again: a concurrent insert may have stored another key.
  return (await readDataKey(store, tenantId))!;
}

/**
 * Returns data keys that are not wrapped with the given master key, ordered by tenant, after the
 * tenant `after`.
 */
export async function listDataKeysToRewrap(
  store: Store,
  masterKeyId: string,
  { after, limit }: { after: string; limit: number },
): Promise<(DataKeyRow & { tenantId: string })[]> {
  const { rows } = await store.query<DataKeyRow & { tenantId: string }>(EVERY_TENANT, {
    name: 'data-keys-to-rewrap',
    text: `SELECT tenant_id AS "tenantId", ${COLUMNS}
           FROM tenant_data_key
           WHERE master_key_id <> $1 AND tenant_id > $2
           ORDER BY tenant_id
           LIMIT $3`,
    values: [masterKeyId, after, limit],
  });
  return rows;
}

/**
 * Replaces a wrapped data key by its rewrapped form. Returns `false` when the stored key is not
 * `before`.
 */
export async function replaceDataKey(
  store: Store,
  tenantId: string,
  before: DataKeyRow,
  after: DataKeyRow,
): Promise<boolean> {
  const { rowCount } = await store.query(tenantId, {
    name: 'replace-data-key',
    text: `UPDATE tenant_data_key
           SET wrapped = $3, master_key_id = $4
           WHERE tenant_id = $1 AND wrapped = $2`,
    values: [tenantId, before.wrapped, after.wrapped, after.keyId],
  });
  return rowCount === 1;
}

/** Counts the data keys of each master key. */
export async function countDataKeys(store: Store): Promise<{ keyId: string; keys: number }[]> {
  const { rows } = await store.query<{ keyId: string; keys: number }>(EVERY_TENANT, {
    name: 'count-data-keys',
    text: `SELECT master_key_id AS "keyId", count(*)::int AS keys
           FROM tenant_data_key
           GROUP BY 1
           ORDER BY 1`,
    values: [],
  });
  return rows;
}
