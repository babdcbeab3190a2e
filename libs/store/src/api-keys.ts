import { createHash, timingSafeEqual } from 'node:crypto';
import type { api_key } from './generated/client.ts';
import { EVERY_TENANT, type Store } from './store.ts';

/* Platform-wide: a key says whose it is; there is no tenant before that. */

/** `pl_<env>_<id>_<secret>`: the id finds the row, only the SHA-256 of the secret is kept (reliability.md §5). */
const FORM = /^pl_([a-z]+)_([A-Za-z0-9]{1,40})_([A-Za-z0-9_-]{43})$/;

export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Stands in for a key that does not exist, so that a near miss and a wild guess take the same time. */
const NOBODY = hashSecret('');

/** Whose key this is: the tenant, or why it is not taken. Costs one look-up whether or not the key exists. */
export async function authenticate(store: Store, key: string, now: Date): Promise<{ tenantId: string; keyId: string; scopes: readonly string[] } | { refused: 'unknown-key' | 'expired-key' }> {
  const [, , id, secret] = FORM.exec(key) ?? [];
  const { rows } = await store.query<api_key>(EVERY_TENANT, { name: 'find-api-key', text: 'SELECT * FROM api_key WHERE id = $1', values: [id ?? ''] });
  const row = rows[0];
  const same = timingSafeEqual(hashSecret(secret ?? ''), row?.secret_hash ?? NOBODY);
  if (row === undefined || !same || row.revoked_at !== null) return { refused: 'unknown-key' };
  if (row.expires_at !== null && row.expires_at <= now) return { refused: 'expired-key' };
  return { tenantId: row.tenant_id, keyId: row.id, scopes: row.scopes };
}
