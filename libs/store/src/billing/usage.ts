import type { Store } from '../database/store.ts';

/** The dimensions of usage sums. `day` is the UTC day on which the leg ended. */
const USAGE_GROUPS = ['day', 'room', 'number', 'direction'] as const;
export type UsageGroup = (typeof USAGE_GROUPS)[number];

const COLUMNS: Readonly<Record<UsageGroup, string>> = {
  day: `to_char(c.ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')`,
  room: 'c.room_id',
  number: 'c.number',
  direction: 'c.direction',
};

/**
 * One sum, in the currency of the charge. Only requested groups are set. Amounts are micro-units,
 * as text.
 */
export interface UsageRow {
  readonly day: string | null;
  readonly room: string | null;
  readonly number: string | null;
  readonly direction: string | null;
  readonly currency: string;
  readonly records: number;
  readonly seconds: string;
  /** As charged by the provider, with decimals: the exact sum. */
  readonly price_micro: string;
  /** By the operator's rates, for records without a price. */
  readonly estimate_micro: string;
}

/**
 * Sums a tenant's records that ended in [from, to), sorted by the groups in their fixed order; at
 * most `limit` sums.
 */
export async function sumUsage(
  store: Store,
  tenantId: string,
  { groups, from, to, limit }: { groups: readonly UsageGroup[]; from: Date; to: Date; limit: number },
): Promise<UsageRow[]> {
  const by = USAGE_GROUPS.filter((group) => groups.includes(group));
  const columns = USAGE_GROUPS.map((group) => `${by.includes(group) ? COLUMNS[group] : 'NULL::text'} AS ${group}`);
  const keys = [...by.map((group) => COLUMNS[group]), 'c.currency'];
  const { rows } = await store.query<UsageRow>(tenantId, {
    name: `usage-${by.join('-')}`,
    text: `SELECT ${columns.join(', ')}, c.currency,
             count(*)::int AS records, sum(c.seconds)::text AS seconds,
             COALESCE(sum(c.price_micro), 0)::text AS price_micro,
             COALESCE(sum(c.estimate_micro) FILTER (WHERE c.price_micro IS NULL), 0)::text AS estimate_micro
           FROM cdr c
           WHERE c.tenant_id = $1 AND c.ended_at >= $2 AND c.ended_at < $3
           GROUP BY ${keys.join(', ')}
           ORDER BY ${keys.map((key) => `${key} NULLS LAST`).join(', ')}
           LIMIT $4`,
    values: [tenantId, from, to, limit],
  });
  return rows;
}
