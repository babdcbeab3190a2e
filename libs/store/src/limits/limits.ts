import type { Store, Tx } from '../database/store.ts';

/** What a tenant may use only so much of: rooms that have not ended, people connected, and people rung within the last minute. */
export const LIMITS = ['live-rooms', 'live-legs', 'dial-outs'] as const;
export type Limit = (typeof LIMITS)[number];

export interface LimitUse {
  /** The tenant's own, or the platform's. */
  readonly allowed: number;
  /** Counted from the rows, those of this transaction among them. */
  readonly used: number;
}

/**
 * A limit of a tenant and its use, for a transaction that adds one at the most: what it says of there being a place stays true until that ends. Near the limit whoever else wants to know
 * waits for that; far from it nobody does, and others of now are not in `used`. To be asked last, after all locks that are waited for: of session before limit no circle can come.
 */
export async function lockLimit(tx: Tx, tenantId: string, limit: Limit): Promise<LimitUse> {
  const { rows } = await tx.query<LimitUse>({
    name: 'lock-limit',
    text: 'SELECT allowed, used FROM lock_limit($1, $2)',
    values: [tenantId, limit],
  });
  return rows[0]!;
}

/** All limits of a tenant and their use at this moment, held by nobody: good to refuse early what would be refused anyhow. */
export async function readLimits(store: Store, tenantId: string): Promise<Readonly<Record<Limit, LimitUse>>> {
  const { rows } = await store.query<LimitUse & { name: Limit }>(tenantId, {
    name: 'read-limits',
    text: 'SELECT l.name, r.allowed, r.used FROM unnest($2::text[]) AS l (name), read_limit($1, l.name) AS r',
    values: [tenantId, LIMITS],
  });
  return Object.fromEntries(rows.map(({ name, allowed, used }) => [name, { allowed, used }])) as Record<
    Limit,
    LimitUse
  >;
}
