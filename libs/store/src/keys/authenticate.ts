import { createHash, timingSafeEqual } from 'node:crypto';
import type { api_key } from '../generated/client.ts';
import { EVERY_TENANT, type Store } from '../database/store.ts';

/* Platform-wide: a key says whose it is; there is no tenant before that. */

/** `pl_<env>_<id>_<secret>`: the id finds the row, only the SHA-256 of the secret is kept (reliability.md §5). */
const API_KEY_FORMAT = /^pl_([a-z]+)_([A-Za-z0-9]{1,40})_([A-Za-z0-9_-]{43})$/;

export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Stands in for a key that does not exist, so that a near miss and a wild guess take the same time. */
const DUMMY_HASH = hashSecret('');

/** Who a key is. */
interface KeyHolder {
  readonly tenantId: string;
  readonly keyId: string;
  readonly scopes: readonly string[];
  /** The environment that the key names, as in `pl_live_…`. */
  readonly env: string;
  /** What its tenant may ask of the API. */
  readonly requestsPerMinute: number;
  /** Its tenant is suspended. */
  readonly suspended: boolean;
}

/**
 * Whose key this is, or why it is not taken; one of another environment than ours is nobody's. Whatever is refused costs the same one look-up, whether or not there is such a key; one that is taken
 * notes its use, at most once a minute.
 */
export async function authenticate(
  store: Store,
  key: string,
  ourEnv: string,
): Promise<KeyHolder | { refused: 'unknown-key' | 'expired-key' }> {
  const [, env, id, secret] = API_KEY_FORMAT.exec(key) ?? [];
  const { rows } = await store.query<
    api_key & { expired: boolean; suspended: boolean; unnoted: boolean; per_minute: number }
  >(EVERY_TENANT, {
    name: 'find-api-key',
    text: `SELECT k.*, COALESCE(k.expires_at <= now(), false) AS expired, t.suspended_at IS NOT NULL AS suspended,
             COALESCE(k.last_used_at < now() - interval '1 minute', true) AS unnoted, COALESCE(t.max_requests_per_minute, p.max_requests_per_minute) AS per_minute
           FROM api_key k JOIN tenant t ON t.id = k.tenant_id CROSS JOIN platform_limit p WHERE k.id = $1`,
    values: [id ?? ''],
  });
  const row = rows[0];
  const same = timingSafeEqual(hashSecret(secret ?? ''), row?.secret_hash ?? DUMMY_HASH);
  if (row === undefined || env !== ourEnv || !same || row.revoked_at !== null) return { refused: 'unknown-key' };
  if (row.expired) return { refused: 'expired-key' };
  if (row.unnoted) await recordKeyUse(store, row);
  return {
    tenantId: row.tenant_id,
    keyId: row.id,
    scopes: row.scopes,
    env,
    requestsPerMinute: row.per_minute,
    suspended: row.suspended,
  };
}

/** Of many requests in one moment, one writes. */
async function recordKeyUse(store: Store, { tenant_id, id }: api_key): Promise<void> {
  await store.query(tenant_id, {
    name: 'record-key-use',
    text: `UPDATE api_key SET last_used_at = now() WHERE tenant_id = $1 AND id = $2 AND COALESCE(last_used_at < now() - interval '1 minute', true)`,
    values: [tenant_id, id],
  });
}
