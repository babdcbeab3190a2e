import type { Charge } from '@partyline/domain/money';
import { EVERY_TENANT, type Store, type Tx } from '../database/store.ts';

/*
 * Call detail records: one for each handle of a leg that the provider charges. Money is in
 * micro-units, as text; the provider's rate and price have decimals.
 */

export interface NewCdr {
  readonly legId: string;
  readonly handle: 'media' | 'voice';
  readonly direction: string;
  readonly roomId: string | null;
  readonly sessionId: string | null;
  /** Our dial-in number, and the other party's number, which sets the rate of an outbound leg. */
  readonly number: string | null;
  readonly remote: string | null;
  readonly startedAt: Date | null;
  readonly endedAt: Date;
  readonly seconds: number;
  readonly rateMicro: string | null;
  readonly priceMicro: string | null;
  readonly currency: string | null;
  readonly source: 'callback' | 'look-up';
  /** Seconds until the provider's record is looked up; null: there is none, or it is complete. */
  readonly priceLookupInS: number | null;
}

export const cdrId = (legId: string, handle: 'media' | 'voice'): string =>
  `cdr_${legId.replace(/^leg_/, '')}_${handle}`;

/**
 * Stores a record in the transaction of the closing observation. Of several ends that callbacks
 * state for a connection the latest counts, and each replaces a looked-up end. Any other second
 * record of a handle is ignored.
 * @returns whether the record was stored or replaced
 */
export async function storeCdr(tx: Tx, tenantId: string | null, cdr: NewCdr): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'store-cdr',
    text: `INSERT INTO cdr (
             id, tenant_id, room_id, session_id, leg_id, handle, direction, number, started_at, ended_at, seconds,
             rate_micro, price_micro, currency, source, price_lookup_at, estimate_micro,
             tenant_currency, tenant_estimate_micro
           )
           SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
             $13, m.currency, $15, now() + make_interval(secs => $16),
             $11::int * rate_per_minute($7, $6, m.rated, m.currency) / 60, m.own,
             CASE WHEN m.own IS NOT NULL THEN $11::int * rate_per_minute($7, $6, m.rated, m.own) / 60 END
           FROM (
             SELECT COALESCE($14, t.currency, 'EUR') AS currency, t.currency AS own,
               CASE $7 WHEN 'outbound' THEN $17 ELSE $8 END AS rated
             FROM (SELECT) AS one
             LEFT JOIN tenant t ON t.id = $2
           ) AS m
           ON CONFLICT (leg_id, handle) DO UPDATE
           SET started_at = excluded.started_at, ended_at = excluded.ended_at, seconds = excluded.seconds,
             source = excluded.source, currency = excluded.currency, estimate_micro = excluded.estimate_micro,
             tenant_currency = excluded.tenant_currency, tenant_estimate_micro = excluded.tenant_estimate_micro
           WHERE cdr.handle = 'media' AND excluded.source = 'callback'
             AND (cdr.source = 'look-up' OR excluded.ended_at > cdr.ended_at)`,
    values: [
      cdrId(cdr.legId, cdr.handle),
      tenantId,
      cdr.roomId,
      cdr.sessionId,
      cdr.legId,
      cdr.handle,
      cdr.direction,
      cdr.number,
      cdr.startedAt,
      cdr.endedAt,
      cdr.seconds,
      cdr.rateMicro,
      cdr.priceMicro,
      cdr.currency,
      cdr.source,
      cdr.priceLookupInS,
      cdr.remote,
    ],
  });
  return rowCount === 1;
}

/**
 * Deletes the records of a leg whose call or connection goes on as another leg, which is charged
 * for the whole of it.
 */
export async function voidCharges(tx: Tx, tenantId: string, legId: string): Promise<void> {
  await tx.query({
    name: 'void-charges',
    text: 'DELETE FROM cdr WHERE tenant_id = $1 AND leg_id = $2',
    values: [tenantId, legId],
  });
}

/**
 * Completes a record without a price with the provider's charge. Returns `false` for a record that
 * has a price.
 */
export async function applyChargeToCdr(
  tx: Tx,
  tenantId: string | null,
  { legId, handle, source }: { legId: string; handle: 'media' | 'voice'; source: 'callback' | 'look-up' | 'record' },
  charge: Charge,
): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'fill-cdr',
    // The estimates follow the seconds: a tenant with another currency than the provider is counted
    // by them.
    text: `UPDATE cdr c
           SET started_at = COALESCE($4, started_at), ended_at = COALESCE($5, ended_at),
             seconds = COALESCE($6, seconds), rate_micro = COALESCE($7, rate_micro), price_micro = $8,
             currency = COALESCE($9, currency), source = $10,
             price_lookup_at = NULL,
             estimate_micro = reestimate(c, COALESCE($6, seconds), COALESCE($9, currency)),
             tenant_estimate_micro =
               CASE WHEN tenant_currency IS NOT NULL THEN reestimate(c, COALESCE($6, seconds), tenant_currency) END
           WHERE leg_id = $2 AND handle = $3 AND tenant_id IS NOT DISTINCT FROM $1 AND price_micro IS NULL
             AND $8::numeric IS NOT NULL`,
    values: [
      tenantId,
      legId,
      handle,
      charge.startedAt,
      charge.endedAt,
      charge.seconds,
      charge.rateMicro,
      charge.priceMicro,
      charge.currency,
      source,
    ],
  });
  return rowCount === 1;
}

/**
 * Begins the price look-ups of a record without a price anew, the first in `delayS` seconds: its
 * call is live, or was reported as over again. Otherwise they become rare before the call ends.
 */
export async function renewPriceLookup(
  tx: Tx,
  tenantId: string | null,
  { legId, handle, delayS }: { legId: string; handle: 'media' | 'voice'; delayS: number },
): Promise<void> {
  await tx.query({
    name: 'renew-price-lookup',
    text: `UPDATE cdr
           SET price_lookups = 0, price_lookup_at = LEAST(price_lookup_at, now() + make_interval(secs => $4))
           WHERE leg_id = $2 AND handle = $3 AND tenant_id IS NOT DISTINCT FROM $1 AND price_lookup_at IS NOT NULL`,
    values: [tenantId, legId, handle, delayS],
  });
}

/** A record whose price is looked up at the provider. */
interface CdrWithPriceDue {
  readonly leg_id: string;
  readonly tenant_id: string | null;
  readonly voice_call_id: string;
}

/** Returns the accounts with price look-ups due; null is the platform's first. */
export async function listAccountsWithPriceDue(store: Store): Promise<(string | null)[]> {
  const { rows } = await store.query<{ account_id: string | null }>(EVERY_TENANT, {
    name: 'accounts-with-price-due',
    text: `SELECT DISTINCT l.account_id
           FROM cdr c
           JOIN leg l ON l.id = c.leg_id
           WHERE c.price_lookup_at <= now()`,
  });
  return rows.map(({ account_id }) => account_id);
}

/**
 * Claims the records of an account whose price look-up is due, the longest due first, and schedules
 * the next look-up of each: after a minute, doubling to six hours, for ten days. Concurrent callers
 * get different records. Covers all tenants.
 */
export async function claimCdrsWithPriceDue(
  store: Store,
  accountId: string | null,
  limit: number,
): Promise<CdrWithPriceDue[]> {
  const { rows } = await store.query<CdrWithPriceDue>(EVERY_TENANT, {
    name: 'cdrs-with-price-due',
    text: `UPDATE cdr c
           SET price_lookups = c.price_lookups + 1,
             price_lookup_at = CASE
               WHEN c.stored_at > now() - interval '10 days'
               THEN now() + LEAST(interval '6 hours', interval '1 minute' * 2 ^ LEAST(c.price_lookups, 12))
             END
           FROM leg l
           WHERE l.id = c.leg_id
             AND c.id IN (
               SELECT d.id
               FROM cdr d
               JOIN leg m ON m.id = d.leg_id
               WHERE d.price_lookup_at <= now() AND m.account_id IS NOT DISTINCT FROM $2
               ORDER BY d.price_lookup_at
               LIMIT $1
               FOR UPDATE OF d SKIP LOCKED
             )
           RETURNING c.leg_id, c.tenant_id, l.voice_call_id`,
    values: [limit, accountId],
  });
  return rows;
}

/** A count for the platform's accounts, and one for all accounts of tenants. */
interface CountByOwner {
  readonly platform: number;
  readonly tenant: number;
}

/** What the operator's gauges show of charges and of guessed PINs. */
interface OperatorCounts {
  /** Records without a price after an hour. */
  readonly open: CountByOwner;
  readonly slowNumbers: CountByOwner;
  /** The odds that a wrong PIN of the last 30 days was right, of the number with the highest. */
  readonly guessOdds: CountByOwner;
}

/** Reads the operator's gauges of all tenants. */
export async function countOpenCharges(store: Store): Promise<OperatorCounts> {
  const { rows } = await store.query<OperatorCounts>(EVERY_TENANT, {
    name: 'count-charges',
    // Without the records of deleted tenants: they have no leg, and are not looked up.
    text: `SELECT
             (
               SELECT jsonb_build_object(
                 'platform', count(*) FILTER (WHERE l.tenant_account_id IS NULL),
                 'tenant', count(*) FILTER (WHERE l.tenant_account_id IS NOT NULL)
               )
               FROM cdr c
               JOIN leg l ON l.id = c.leg_id
               WHERE c.price_lookup_at IS NOT NULL AND c.stored_at < now() - interval '1 hour'
             ) AS open,
             (
               SELECT jsonb_build_object(
                 'platform', count(*) FILTER (WHERE tenant_account_id IS NULL),
                 'tenant', count(*) FILTER (WHERE tenant_account_id IS NOT NULL)
               )
               FROM dial_in_number
               WHERE slow_until > now()
             ) AS "slowNumbers",
             (
               SELECT jsonb_build_object(
                 'platform', COALESCE(max(month.odds) FILTER (WHERE month.tenant_account_id IS NULL), 0),
                 'tenant', COALESCE(max(month.odds) FILTER (WHERE month.tenant_account_id IS NOT NULL), 0)
               )
               FROM (
                 SELECT d.tenant_account_id, sum(g.odds) AS odds
                 FROM pin_guess_day g
                 JOIN dial_in_number d ON d.e164 = g.number
                 WHERE g.day >= (now() AT TIME ZONE 'UTC')::date - 30
                 GROUP BY d.e164
               ) AS month
             ) AS "guessOdds"`,
  });
  return rows[0]!;
}

/** A record as the API lists it, with amounts as text. */
export interface CdrRow {
  readonly id: string;
  readonly room_id: string | null;
  readonly session_id: string | null;
  readonly leg_id: string;
  readonly handle: 'media' | 'voice';
  readonly direction: string;
  readonly number: string | null;
  readonly remote: string | null;
  readonly started_at: Date | null;
  readonly ended_at: Date;
  readonly seconds: number;
  /** With decimals. */
  readonly rate_micro: string | null;
  readonly price_micro: string | null;
  readonly currency: string;
  readonly estimate_micro: string;
}

interface CdrFilter {
  readonly limit: number;
  /** The last id of the page before. */
  readonly after?: string | undefined;
  readonly roomId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly legId?: string | undefined;
}

/** Returns a page of a tenant's records, the latest end first. */
export async function listCdrs(
  store: Store,
  tenantId: string,
  { limit, after, roomId, sessionId, legId }: CdrFilter,
): Promise<CdrRow[]> {
  const { rows } = await store.query<CdrRow>(tenantId, {
    name: 'list-cdrs',
    text: `SELECT c.id, c.room_id, c.session_id, c.leg_id, c.handle, c.direction, c.number, l.remote, c.started_at,
             c.ended_at, c.seconds, c.rate_micro, c.price_micro, c.currency, c.estimate_micro
           FROM cdr c
           LEFT JOIN leg l ON l.id = c.leg_id
           WHERE c.tenant_id = $1
             AND ($4::text IS NULL OR c.room_id = $4)
             AND ($5::text IS NULL OR c.session_id = $5)
             AND ($6::text IS NULL OR c.leg_id = $6)
             AND (c.ended_at, c.id) < (
               COALESCE((SELECT a.ended_at FROM cdr a WHERE a.id = $3 AND a.tenant_id = $1), 'infinity'),
               COALESCE($3::text, '')
             )
           ORDER BY c.ended_at DESC, c.id DESC
           LIMIT $2`,
    values: [tenantId, limit, after ?? null, roomId ?? null, sessionId ?? null, legId ?? null],
  });
  return rows;
}

/** Whether the tenant has a record with this id. */
export async function hasCdr(store: Store, tenantId: string, id: string): Promise<boolean> {
  const { rowCount } = await store.query(tenantId, {
    name: 'has-cdr',
    text: 'SELECT FROM cdr WHERE tenant_id = $1 AND id = $2',
    values: [tenantId, id],
  });
  return rowCount === 1;
}
