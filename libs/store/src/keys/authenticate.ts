import { createHash, timingSafeEqual } from 'node:crypto';
import type { api_key } from '../generated/client.ts';
import { EVERY_TENANT, type Store } from '../database/store.ts';

/* Platform-wide: the tenant is known only after the key's row is found. */

/**
 * `pl_<env>_<id>_<secret>`: the id finds the row, which holds only the secret's SHA-256.
 */
const API_KEY_FORMAT = /^pl_([a-z]+)_([A-Za-z0-9]{1,40})_([A-Za-z0-9_-]{43})$/;

export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Compared for unknown key ids, so that known and unknown ids take the same time. */
const DUMMY_HASH = hashSecret('');

/** An authenticated key. */
interface AuthenticatedKey {
  readonly tenantId: string;
  readonly keyId: string;
  readonly scopes: readonly string[];
  /** The environment in the key, as in `pl_live_...`. */
  readonly env: string;
  /** The tenant's rate limit of the API. */
  readonly requestsPerMinute: number;
  /** When the key expires; null: never. */
  readonly expiresAt: Date | null;
  /** Whether the tenant is suspended. */
  readonly suspended: boolean;
}

/**
 * Authenticates an API key, or returns why it is rejected. A key of another environment is unknown.
 * Every rejection costs the same single look-up. An accepted key's use is recorded, at most once a
 * minute.
 */
export async function authenticate(
  store: Store,
  key: string,
  ourEnv: string,
): Promise<AuthenticatedKey | { rejected: 'unknown-key' | 'expired-key' }> {
  const [, env, id, secret] = API_KEY_FORMAT.exec(key) ?? [];
  const row = await findKey(store, id ?? '');
  const same = timingSafeEqual(hashSecret(secret ?? ''), row?.secret_hash ?? DUMMY_HASH);
  if (row === undefined || env !== ourEnv || !same || row.revoked_at !== null) return { rejected: 'unknown-key' };
  if (row.expired) return { rejected: 'expired-key' };
  if (row.unnoted) await recordKeyUse(store, row);
  return toAuthenticated(row, env);
}

/**
 * Authenticates the holder of a token that a key has created, as that key: the token is no more
 * than its key. The caller has verified the token.
 * @param expiresAt when the token expires; null: that is not checked
 */
export async function authenticateForKey(
  store: Store,
  { tenantId, keyId, env, expiresAt }: { tenantId: string; keyId: string; env: string; expiresAt: Date | null },
): Promise<AuthenticatedKey | { rejected: 'unknown-key' | 'expired-key' }> {
  const row = await findKey(store, keyId);
  if (row === undefined || row.tenant_id !== tenantId || row.revoked_at !== null) return { rejected: 'unknown-key' };
  if (row.expired || (expiresAt !== null && expiresAt <= row.now)) return { rejected: 'expired-key' };
  return toAuthenticated(row, env);
}

type KeyRow = api_key & { expired: boolean; suspended: boolean; unnoted: boolean; per_minute: number; now: Date };

async function findKey(store: Store, id: string): Promise<KeyRow | undefined> {
  const { rows } = await store.query<KeyRow>(EVERY_TENANT, {
    name: 'find-api-key',
    text: `SELECT k.*, COALESCE(k.expires_at <= now(), false) AS expired, t.suspended_at IS NOT NULL AS suspended,
             COALESCE(k.last_used_at < now() - interval '1 minute', true) AS unnoted,
             COALESCE(t.max_requests_per_minute, p.max_requests_per_minute) AS per_minute, now() AS now
           FROM api_key k
           JOIN tenant t ON t.id = k.tenant_id
           CROSS JOIN platform_limit p
           WHERE k.id = $1`,
    values: [id],
  });
  return rows[0];
}

const toAuthenticated = (row: KeyRow, env: string): AuthenticatedKey => ({
  tenantId: row.tenant_id,
  keyId: row.id,
  scopes: row.scopes,
  env,
  requestsPerMinute: row.per_minute,
  expiresAt: row.expires_at,
  suspended: row.suspended,
});

/** When something expires that is created now, by the clock of the database. */
export async function readExpiry(store: Store, tenantId: string, seconds: number): Promise<Date> {
  const { rows } = await store.query<{ at: Date }>(tenantId, {
    name: 'read-expiry',
    text: 'SELECT now() + make_interval(secs => $1) AS at',
    values: [seconds],
  });
  return rows[0]!.at;
}

/** Records the use of a key. Of concurrent requests, one writes. */
async function recordKeyUse(store: Store, { tenant_id, id }: api_key): Promise<void> {
  await store.query(tenant_id, {
    name: 'record-key-use',
    text: `UPDATE api_key
           SET last_used_at = now()
           WHERE tenant_id = $1 AND id = $2 AND COALESCE(last_used_at < now() - interval '1 minute', true)`,
    values: [tenant_id, id],
  });
}
