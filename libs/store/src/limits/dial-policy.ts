import type { FraudMeter } from '@partyline/domain/fraud';
import { EVERY_TENANT, type Store, type Tx } from '../database/store.ts';

/** The countries that a tenant may call, and its fraud limits. */
interface DialPolicy {
  /** ISO 3166-1 alpha-2, with the home country. */
  readonly countries: readonly string[];
  /** The differences from the platform's thresholds, as stored. */
  readonly fraudLimits: unknown;
}

/** Reads a tenant's policy. An unknown tenant may call no country. */
export async function readDialPolicy(store: Store, tenantId: string): Promise<DialPolicy> {
  const { rows } = await store.query<DialPolicy>(tenantId, {
    name: 'dial-policy',
    text: `SELECT array_append(allowed_countries, home_country) AS countries, fraud_limits AS "fraudLimits"
           FROM tenant
           WHERE id = $1`,
    values: [tenantId],
  });
  return rows[0] ?? { countries: [], fraudLimits: {} };
}

/** Whether the number is one of the platform's dial-in numbers, of any tenant. */
export async function isDialInNumber(store: Store, phone: string): Promise<boolean> {
  const { rowCount } = await store.query(EVERY_TENANT, {
    name: 'is-dial-in-number',
    text: 'SELECT FROM dial_in_number WHERE e164 = $1',
    values: [phone],
  });
  return rowCount === 1;
}

/**
 * Reads a tenant's fraud meters (libs/domain/src/fraud.ts) from the rows, with those of this
 * transaction.
 * @param remote the number to call
 */
export async function readFraudMeters(
  tx: Tx,
  tenantId: string,
  remote: string,
): Promise<Readonly<Record<FraudMeter, number>>> {
  const { rows } = await tx.query<Record<FraudMeter, number>>({
    name: 'meter-dials',
    text: `WITH up AS MATERIALIZED (
             SELECT extract(epoch FROM clock_timestamp() - l.answered_at) / 60 AS minutes
             FROM leg l
             WHERE l.tenant_id = $1 AND l.kind = 'outbound' AND l.state <> 'ended'
           ),
           placed AS MATERIALIZED (
             SELECT l.created_at, l.remote
             FROM leg l
             WHERE l.tenant_id = $1 AND l.kind = 'outbound' AND l.created_at > clock_timestamp() - interval '1 hour'
           )
           SELECT
             (
               SELECT count(*)::int FROM placed WHERE created_at > clock_timestamp() - interval '1 minute'
             ) AS "callsPerMinute",
             (SELECT count(*)::int FROM up) AS "concurrent",
             (SELECT count(*)::int FROM placed WHERE remote = $2) AS "toOneNumber",
             (
               COALESCE(
                 (
                   SELECT sum(c.seconds) / 60
                   FROM cdr c
                   WHERE c.tenant_id = $1 AND c.direction = 'outbound'
                     AND c.ended_at > clock_timestamp() - interval '1 day'
                 ),
                 0
               )
               + COALESCE((SELECT sum(minutes) FROM up), 0)
             )::float8 AS "minutesPerDay",
             COALESCE((SELECT max(minutes) FROM up), 0)::float8 AS "longestMinutes"`,
    values: [tenantId, remote],
  });
  return rows[0]!;
}
