import { EVERY_TENANT, type Store } from '../database/store.ts';
import { REPLY_RETENTION_HOURS } from '../idempotency/idempotency.ts';

/* Platform-wide: expired rows of all tenants are deleted alike. */

/** What is forgotten, and when it has served: by its table's key, the oldest first. */
const PURGE_RULES = {
  /** Used token ids that would be stale anyway. */
  tokens: { name: 'purge-tokens', table: 'webhook_jti', key: 'jti', at: 'expires_at', before: 'now()' },
  /** PINs whose quarantine is over. */
  pins: { name: 'purge-pins', table: 'pin', key: 'id', at: 'quarantined_until', before: 'now()' },
  /** Strays that were hung up a day ago. */
  orphanCalls: {
    name: 'purge-orphan-calls',
    table: 'orphan_call',
    key: 'id',
    at: 'last_seen_at',
    before: `now() - interval '1 day'`,
  },
  /** Answers kept for a day. */
  keys: {
    name: 'purge-idempotency-keys',
    table: 'idempotency_key',
    key: 'id',
    at: 'created_at',
    before: `now() - interval '${REPLY_RETENTION_HOURS} hours'`,
  },
  /** What stood in the audit log for 400 days. */
  audit: {
    name: 'purge-audit',
    table: 'audit_entry',
    key: 'id',
    at: 'begun_at',
    before: `now() - interval '400 days'`,
  },
} as const;
export type PurgeKind = keyof typeof PURGE_RULES;
export const PURGE_KINDS = Object.keys(PURGE_RULES) as PurgeKind[];

/** Forgets what has served, of one kind and at most `limit` of it: however much there is, no statement takes long. Gives how many, so that whoever asks may ask again. Several may ask at once. */
export async function purgeExpired(store: Store, kind: PurgeKind, limit: number): Promise<number> {
  const { name, table, key, at, before } = PURGE_RULES[kind];
  const { rowCount } = await store.query(EVERY_TENANT, {
    name,
    text: `WITH old AS (SELECT ${key} FROM ${table} WHERE ${at} < ${before} ORDER BY ${at} LIMIT $1 FOR UPDATE SKIP LOCKED) DELETE FROM ${table} t USING old WHERE t.${key} = old.${key}`,
    values: [limit],
  });
  return rowCount ?? 0;
}
