import type { Key } from '@partyline/contracts/keys/key';
import type { KeyRow } from '@partyline/store/keys/keys';

/** A key as the API shows it. */
export const showKey = (row: KeyRow): Key => ({
  id: row.id,
  label: row.label,
  scopes: row.scopes,
  state: row.state,
  createdAt: row.created_at.toISOString(),
  expiresAt: row.expires_at?.toISOString() ?? null,
  revokedAt: row.revoked_at?.toISOString() ?? null,
  lastUsedAt: row.last_used_at?.toISOString() ?? null,
});
