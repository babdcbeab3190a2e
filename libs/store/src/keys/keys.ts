import type { api_key } from '../generated/client.ts';
import type { Store, Tx } from '../database/store.ts';

/** A key without the hash of its secret. */
export type KeyRow = Omit<api_key, 'secret_hash'> & { readonly state: 'live' | 'expired' | 'revoked' };

const LIVE = 'revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())';
const COLUMNS = `id, tenant_id, label, scopes, created_at, expires_at, revoked_at, last_used_at,
  CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' ELSE 'live' END AS state`;

/**
 * Locks a tenant's keys until the end of the transaction, so that their number does not change
 * meanwhile.
 */
export async function lockKeys(tx: Tx, tenantId: string): Promise<void> {
  await tx.query({
    name: 'lock-keys',
    text: `SELECT pg_advisory_xact_lock(hashtextextended('api keys of ' || $1, 0))`,
    values: [tenantId],
  });
}

/** Counts a tenant's valid keys, and the `admin` keys among them. */
export async function countLiveKeys(tx: Tx, tenantId: string): Promise<{ live: number; admins: number }> {
  const { rows } = await tx.query<{ live: number; admins: number }>({
    name: 'count-live-keys',
    text: `SELECT count(*)::int AS live, (count(*) FILTER (WHERE 'admin' = ANY(scopes)))::int AS admins
           FROM api_key
           WHERE tenant_id = $1 AND ${LIVE}`,
    values: [tenantId],
  });
  return rows[0]!;
}

interface NewKey {
  readonly id: string;
  readonly label: string;
  readonly scopes: readonly string[];
  readonly secretHash: Buffer;
  /** Null: valid until it is revoked. */
  readonly expiresAt: Date | null;
}

/** Inserts a key. Throws a unique violation (23505) when the id exists. */
export async function insertKey(tx: Tx, tenantId: string, key: NewKey): Promise<KeyRow> {
  const { rows } = await tx.query<KeyRow>({
    name: 'insert-key',
    text: `INSERT INTO api_key (id, tenant_id, label, scopes, secret_hash, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6)
           RETURNING ${COLUMNS}`,
    values: [key.id, tenantId, key.label, key.scopes, key.secretHash, key.expiresAt],
  });
  return rows[0]!;
}

/** Returns a tenant's key; `null` when there is none. */
export async function readKey(tx: Tx, tenantId: string, keyId: string): Promise<KeyRow | null> {
  const { rows } = await tx.query<KeyRow>({
    name: 'read-key',
    text: `SELECT ${COLUMNS} FROM api_key WHERE tenant_id = $1 AND id = $2`,
    values: [tenantId, keyId],
  });
  return rows[0] ?? null;
}

/**
 * Returns a page of a tenant's keys, expired and revoked ones too, newest first. `after` is the
 * last id of the page before.
 */
export async function listKeys(
  store: Store,
  tenantId: string,
  { limit, after }: { limit: number; after?: string },
): Promise<KeyRow[]> {
  const { rows } = await store.query<KeyRow>(tenantId, {
    name: 'list-keys',
    text: `SELECT ${COLUMNS}
           FROM api_key
           WHERE tenant_id = $1
             AND (created_at, id) < (
               COALESCE((SELECT c.created_at FROM api_key c WHERE c.id = $3 AND c.tenant_id = $1), 'infinity'),
               COALESCE($3::text, '')
             )
           ORDER BY created_at DESC, id DESC
           LIMIT $2`,
    values: [tenantId, limit, after ?? null],
  });
  return rows;
}

/** Makes a key expire in `overlapS` seconds, or at its own expiry if that is earlier. */
export async function retireKey(tx: Tx, tenantId: string, keyId: string, overlapS: number): Promise<KeyRow> {
  const { rows } = await tx.query<KeyRow>({
    name: 'retire-key',
    // Truncated to the column's precision: rounded up, a key without overlap would outlive the
    // transaction.
    text: `UPDATE api_key
           SET expires_at = least(expires_at, date_trunc('milliseconds', now()) + make_interval(secs => $3))
           WHERE tenant_id = $1 AND id = $2
           RETURNING ${COLUMNS}`,
    values: [tenantId, keyId, overlapS],
  });
  return rows[0]!;
}

/** Revokes a key for good. */
export async function revokeKey(tx: Tx, tenantId: string, keyId: string): Promise<KeyRow> {
  const { rows } = await tx.query<KeyRow>({
    name: 'revoke-key',
    text: `UPDATE api_key
           SET revoked_at = COALESCE(revoked_at, now())
           WHERE tenant_id = $1 AND id = $2
           RETURNING ${COLUMNS}`,
    values: [tenantId, keyId],
  });
  return rows[0]!;
}
