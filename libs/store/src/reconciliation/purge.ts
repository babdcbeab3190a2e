import { EVERY_TENANT, type Store } from '../database/store.ts';
import { REPLY_RETENTION_HOURS } from '../idempotency/idempotency.ts';

/* Platform-wide: expired rows of all tenants are purged alike. */

/** Per kind: the table, its key, and when its rows expire. */
const PURGE_RULES = {
  /** Used webhook tokens that have expired. */
  tokens: { name: 'purge-tokens', table: 'webhook_jti', key: 'jti', at: 'expires_at', before: 'now()' },
  /** PINs after their quarantine. */
  pins: { name: 'purge-pins', table: 'pin', key: 'id', at: 'quarantined_until', before: 'now()' },
  /** Orphan calls, one day after the last inventory that contained them. */
  orphanCalls: {
    name: 'purge-orphan-calls',
    table: 'orphan_call',
    key: 'id',
    at: 'last_seen_at',
    before: `now() - interval '1 day'`,
  },
  /** Idempotency keys with their stored replies. */
  keys: {
    name: 'purge-idempotency-keys',
    table: 'idempotency_key',
    key: 'id',
    at: 'created_at',
    before: `now() - interval '${REPLY_RETENTION_HOURS} hours'`,
  },
  /** Sums of wrong PINs, after the days that count for the budget (month_guess_odds). */
  guessDays: {
    name: 'purge-guess-days',
    table: 'pin_guess_day',
    key: 'ctid',
    at: 'day',
    before: `(now() AT TIME ZONE 'UTC')::date - 30`,
  },
  /** Audit entries, after 400 days. */
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

/**
 * Deletes one batch of at most `limit` expired rows of one kind, the oldest first, so that each
 * statement stays short. Returns the number of deleted rows. Safe to run concurrently.
 */
export async function purgeExpired(store: Store, kind: PurgeKind, limit: number): Promise<number> {
  const { name, table, key, at, before } = PURGE_RULES[kind];
  const { rowCount } = await store.query(EVERY_TENANT, {
    name,
    text: `WITH expired AS (
             SELECT ${key}
             FROM ${table}
             WHERE ${at} < ${before}
             ORDER BY ${at}
             LIMIT $1
             FOR UPDATE SKIP LOCKED
           )
           DELETE FROM ${table} t
           USING expired
           WHERE t.${key} = expired.${key}`,
    values: [limit],
  });
  return rowCount ?? 0;
}
