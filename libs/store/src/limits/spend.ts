import type { SpendScope, SpendUsage } from '@partyline/domain/money';
import { EVERY_TENANT, type Store, type Tx } from '../database/store.ts';

/** A leg that is about to be added: its room, its direction, and the number that sets its rate. */
export interface ProspectiveLeg {
  readonly roomId: string;
  readonly direction: 'inbound' | 'outbound' | 'webrtc';
  readonly number: string | null;
}

interface SpendRow {
  readonly scope: SpendScope;
  readonly used: string;
  readonly allowed: string;
  readonly first_minute: string;
  readonly currency: string;
}
const parseUsage = (rows: readonly SpendRow[]): SpendUsage[] =>
  rows.map(({ scope, used, allowed, first_minute, currency }) => ({
    scope,
    used: BigInt(used),
    allowed: BigInt(allowed),
    firstMinute: BigInt(first_minute),
    currency,
  }));

/**
 * Locks and reads the use of a tenant's and a room's limits of money and minutes; empty without
 * limits. Serializes the tenant's decisions about money until the transaction ends, so take this
 * lock last.
 */
export async function lockSpend(
  tx: Tx,
  tenantId: string,
  { roomId, direction, number }: ProspectiveLeg,
): Promise<SpendUsage[]> {
  return parseUsage(
    (
      await tx.query<SpendRow>({
        name: 'lock-spend',
        text: 'SELECT * FROM lock_spend($1, $2, $3, $4)',
        values: [tenantId, roomId, direction, number],
      })
    ).rows,
  );
}

/** Reads the same without a lock. */
export async function measureSpend(tx: Tx, tenantId: string, roomId: string | null): Promise<SpendUsage[]> {
  return parseUsage(
    (
      await tx.query<SpendRow>({
        name: 'measure-spend',
        text: `SELECT * FROM measure_spend($1, $2, 'outbound', NULL)`,
        values: [tenantId, roomId],
      })
    ).rows,
  );
}

/** Reads the same in a transaction of its own. A null room: the tenant's limits only. */
export async function readSpend(store: Store, tenantId: string, roomId: string | null): Promise<SpendUsage[]> {
  return parseUsage(
    (
      await store.query<SpendRow>(tenantId, {
        name: 'read-spend',
        text: `SELECT * FROM measure_spend($1, $2, 'outbound', NULL)`,
        values: [tenantId, roomId],
      })
    ).rows,
  );
}

/**
 * Returns running sessions with legs whose tenant or room has used 80 % of a limit. Sums the usage
 * of all tenants and rooms with a limit and a leg, so the cost does not depend on how many are near
 * it. `language` is that of the room's number. Covers all tenants.
 */
export async function listSessionsNearLimit(
  store: Store,
): Promise<{ tenant_id: string; session_id: string; language: string }[]> {
  const { rows } = await store.query<{ tenant_id: string; session_id: string; language: string }>(EVERY_TENANT, {
    name: 'near-limit',
    text: `WITH running AS MATERIALIZED (SELECT * FROM running_cost(NULL)),
           tenants AS (
             SELECT t.id, t.currency, t.max_spend_micro_per_month AS money,
               t.max_minutes_per_month * 60::bigint AS time, sum(r.micro) AS micro, sum(r.seconds) AS seconds
             FROM running r
             JOIN tenant t ON t.id = r.tenant_id
             GROUP BY t.id
           ),
           spent AS (
             SELECT t.*, p.micro AS past_micro, p.seconds AS past_seconds
             FROM tenants t, LATERAL month_spent(t.id, t.currency) AS p
             WHERE t.money IS NOT NULL OR t.time IS NOT NULL
           ),
           rooms AS (
             SELECT o.id, o.tenant_id, o.max_spend_micro AS money, t.currency, sum(r.micro) AS micro
             FROM running r
             JOIN room o ON o.id = r.room_id
             JOIN tenant t ON t.id = r.tenant_id
             WHERE o.max_spend_micro IS NOT NULL
             GROUP BY o.id, t.currency
           )
           SELECT DISTINCT r.tenant_id, r.session_id, COALESCE(d.language, 'en-US') AS language
           FROM running r
           JOIN session s ON s.id = r.session_id AND s.state IN ('open', 'live')
           JOIN room m ON m.id = s.room_id
           LEFT JOIN dial_in_number d ON d.e164 = m.number
           LEFT JOIN spent t ON t.id = r.tenant_id
           LEFT JOIN rooms o ON o.id = r.room_id
           WHERE (t.past_micro + t.micro) * 5 >= t.money * 4
             OR (t.past_seconds + t.seconds) * 5 >= t.time * 4
             OR (o.micro + room_spent(o.tenant_id, o.id, o.currency)) * 5 >= o.money * 4`,
  });
  return rows;
}

/**
 * Records a warning in the transaction of its event. Returns `false` when the tenant was warned of
 * it in that period before.
 */
export async function recordWarning(
  tx: Tx,
  tenantId: string,
  warning: { what: string; period: string; sessionId: string },
): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'record-warning',
    text: `INSERT INTO warning (tenant_id, what, period, session_id)
           VALUES ($1, $2, $3, $4)
           ON CONFLICT DO NOTHING`,
    values: [tenantId, warning.what, warning.period, warning.sessionId],
  });
  return rowCount === 1;
}

/**
 * Sets the spend limit of a room over its lifetime, in micro-units; null: none. Returns `false`
 * when the tenant has no such room. Warnings that were sent are not repeated.
 */
export async function setRoomSpendLimit(
  store: Store,
  tenantId: string,
  roomId: string,
  micro: bigint | null,
): Promise<boolean> {
  const { rowCount } = await store.query(tenantId, {
    name: 'limit-room-spend',
    text: 'UPDATE room SET max_spend_micro = $3 WHERE id = $2 AND tenant_id = $1',
    values: [tenantId, roomId, micro],
  });
  return rowCount === 1;
}
