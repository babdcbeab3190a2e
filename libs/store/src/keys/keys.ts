import type { api_key } from '../generated/client.ts';
import type { Store, Tx } from '../database/store.ts';

/** A key as it is shown: without its secret, which nobody has any more. */
export type KeyRow = Omit<api_key, 'secret_hash'> & { readonly state: 'live' | 'expired' | 'revoked' };

const LIVE = 'revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())';
const COLUMNS = `id, tenant_id, label, scopes, created_at, expires_at, revoked_at, last_used_at,
  CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' ELSE 'live' END AS state`;

/** Whoever adds or ends keys of a tenant holds this: how many there are does not change meanwhile. Until the transaction is over. */
export async function lockKeys(tx: Tx, tenantId: string): Promise<void> {
  await tx.query({
    name: 'lock-keys',
    text: `SELECT pg_advisory_xact_lock(hashtextextended('api keys of ' || $1, 0))`,
    values: [tenantId],
  });
}

/** How many of a tenant's keys are good now, and how many of those may do everything. */
export async function countLiveKeys(tx: Tx, tenantId: string): Promise<{ live: number; admins: number }> {
  const { rows } = await tx.query<{ live: number; admins: number }>({
    name: 'count-live-keys',
    text: `SELECT count(*)::int AS live, (count(*) FILTER (WHERE 'admin' = ANY(scopes)))::int AS admins FROM api_key WHERE tenant_id = $1 AND ${LIVE}`,
    values: [tenantId],
  });
  return rows[0]!;
}

interface NewKey {
  readonly id: string;
  readonly label: string;
  readonly scopes: readonly string[];
  readonly secretHash: Buffer;
  /** Null: it is good until it is revoked. */
  readonly expiresAt: Date | null;
}

/** Adds a key. Throws a unique violation (23505) when there is one of that id. */
export async function insertKey(tx: Tx, tenantId: string, key: NewKey): Promise<KeyRow> {
  const { rows } = await tx.query<KeyRow>({
    name: 'insert-key',
    text: `INSERT INTO api_key (id, tenant_id, label, scopes, secret_hash, expires_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING ${COLUMNS}`,
    values: [key.id, tenantId, key.label, key.scopes, key.secretHash, key.expiresAt],
  });
  return rows[0]!;
}

/** A key of a tenant's; `null` when it has none of that id. */
export async function readKey(tx: Tx, tenantId: string, keyId: string): Promise<KeyRow | null> {
  const { rows } = await tx.query<KeyRow>({
    name: 'read-key',
    text: `SELECT ${COLUMNS} FROM api_key WHERE tenant_id = $1 AND id = $2`,
    values: [tenantId, keyId],
  });
  return rows[0] ?? null;
}

/** A page of a tenant's keys, newest first, those that are over too; `after` is the last id of the page before. */
export async function listKeys(
  store: Store,
  tenantId: string,
  { limit, after }: { limit: number; after?: string },
): Promise<KeyRow[]> {
  const { rows } = await store.query<KeyRow>(tenantId, {
    name: 'list-keys',
    text: `SELECT ${COLUMNS} FROM api_key WHERE tenant_id = $1
             AND (created_at, id) < (COALESCE((SELECT c.created_at FROM api_key c WHERE c.id = $3 AND c.tenant_id = $1), 'infinity'), COALESCE($3::text, ''))
           ORDER BY created_at DESC, id DESC LIMIT $2`,
    values: [tenantId, limit, after ?? null],
  });
  return rows;
}

/** Lets a key live on for `overlapS` seconds at most (0: not at all); never for longer than it would have. */
export async function retireKey(tx: Tx, tenantId: string, keyId: string, overlapS: number): Promise<KeyRow> {
  const { rows } = await tx.query<KeyRow>({
    name: 'retire-key',
    // Cut to what the column holds, which would round it up: a key without overlap is over in this very transaction.
    text: `UPDATE api_key SET expires_at = least(expires_at, date_trunc('milliseconds', now()) + make_interval(secs => $3)) WHERE tenant_id = $1 AND id = $2 RETURNING ${COLUMNS}`,
    values: [tenantId, keyId, overlapS],
  });
  return rows[0]!;
}

/** Ends a key at once, for good. */
export async function revokeKey(tx: Tx, tenantId: string, keyId: string): Promise<KeyRow> {
  const { rows } = await tx.query<KeyRow>({
    name: 'revoke-key',
    text: `UPDATE api_key SET revoked_at = COALESCE(revoked_at, now()) WHERE tenant_id = $1 AND id = $2 RETURNING ${COLUMNS}`,
    values: [tenantId, keyId],
  });
  return rows[0]!;
}
