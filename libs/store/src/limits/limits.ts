import type { Store, Tx } from '../database/store.ts';

/**
 * A tenant's limits: active rooms, connected legs without bridges, and outbound calls within a
 * minute.
 */
export const LIMITS = ['live-rooms', 'live-legs', 'dial-outs'] as const;
export type Limit = (typeof LIMITS)[number];

export interface LimitUse {
  /** The tenant's own limit, or else the platform's. */
  readonly allowed: number;
  /** Counted from the rows, with those of this transaction. */
  readonly used: number;
}

/**
 * Locks a limit and reads its use, for a transaction that adds at most one. The answer whether the
 * limit is reached stays true until the transaction ends: near the limit, transactions wait for
 * each other; far from it they do not, and `used` lacks concurrent ones. Lock order: session, then
 * limit.
 */
export async function lockLimit(tx: Tx, tenantId: string, limit: Limit): Promise<LimitUse> {
  const { rows } = await tx.query<LimitUse>({
    name: 'lock-limit',
    text: 'SELECT allowed, used FROM lock_limit($1, $2)',
    values: [tenantId, limit],
  });
  return rows[0]!;
}

/** Reads all limits of a tenant and their use without a lock, for an early rejection. */
export async function readLimits(store: Store, tenantId: string): Promise<Readonly<Record<Limit, LimitUse>>> {
  const { rows } = await store.query<LimitUse & { name: Limit }>(tenantId, {
    name: 'read-limits',
    text: `SELECT l.name, r.allowed, r.used
           FROM unnest($2::text[]) AS l (name), read_limit($1, l.name) AS r`,
    values: [tenantId, LIMITS],
  });
  return Object.fromEntries(rows.map(({ name, allowed, used }) => [name, { allowed, used }])) as Record<
    Limit,
    LimitUse
  >;
}
