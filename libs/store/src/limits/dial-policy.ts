import type { FraudMeter } from '@partyline/domain/fraud';
import type { Store, Tx } from '../database/store.ts';

/** Whom a tenant may ring, and what is too much. */
interface DialPolicy {
  /** ISO 3166-1 alpha-2; its home is among them. */
  readonly countries: readonly string[];
  /** What differs from the platform's thresholds, as it stands in the row. */
  readonly fraudLimits: unknown;
}

/** A tenant's policy; without a tenant nobody may be rung. */
export async function readDialPolicy(store: Store, tenantId: string): Promise<DialPolicy> {
  const { rows } = await store.query<DialPolicy>(tenantId, {
    name: 'dial-policy',
    text: `SELECT array_append(allowed_countries, home_country) AS countries, fraud_limits AS "fraudLimits" FROM tenant WHERE id = $1`,
    values: [tenantId],
  });
  return rows[0] ?? { countries: [], fraudLimits: {} };
}

/** What the fraud meters show of a tenant (libs/domain/src/fraud.ts), those of this transaction included. Counted from the rows. @param remote whom it wants rung */
export async function readFraudMeters(
  tx: Tx,
  tenantId: string,
  remote: string,
): Promise<Readonly<Record<FraudMeter, number>>> {
  const { rows } = await tx.query<Record<FraudMeter, number>>({
    name: 'meter-dials',
    text: `WITH up AS MATERIALIZED (SELECT extract(epoch FROM clock_timestamp() - l.answered_at) / 60 AS minutes FROM leg l WHERE l.tenant_id = $1 AND l.kind = 'outbound' AND l.state <> 'ended'),
                placed AS MATERIALIZED (SELECT l.created_at, l.remote FROM leg l WHERE l.tenant_id = $1 AND l.kind = 'outbound' AND l.created_at > clock_timestamp() - interval '1 hour')
           SELECT (SELECT count(*)::int FROM placed WHERE created_at > clock_timestamp() - interval '1 minute') AS "callsPerMinute",
                  (SELECT count(*)::int FROM up) AS "concurrent",
                  (SELECT count(*)::int FROM placed WHERE remote = $2) AS "toOneNumber",
                  (COALESCE((SELECT sum(c.seconds) / 60 FROM cdr c WHERE c.tenant_id = $1 AND c.direction = 'outbound' AND c.ended_at > clock_timestamp() - interval '1 day'), 0)
                    + COALESCE((SELECT sum(minutes) FROM up), 0))::float8 AS "minutesPerDay",
                  COALESCE((SELECT max(minutes) FROM up), 0)::float8 AS "longestMinutes"`,
    values: [tenantId, remote],
  });
  return rows[0]!;
}
