import { EVERY_TENANT, inTransaction, type Store } from '../database/store.ts';

/* Platform-wide: the operator's rates, which price usage that the provider has not charged yet. */

/** The key of a rate. */
interface RateKey {
  /** inbound | outbound | bridge-voice | bridge-media | webrtc */
  readonly what: string;
  /** A prefix of phone numbers; empty: all others. */
  readonly prefix: string;
  /** ISO 4217. */
  readonly currency: string;
}
export interface RateRow extends RateKey {
  /** Millionths of the currency's unit, as text. */
  readonly micro_per_minute: string;
}

/**
 * Returns a page of the rates, ordered by `what`, currency and prefix. `after` is the last rate of
 * the page before.
 */
export async function listRates(
  store: Store,
  {
    what,
    currency,
    limit,
    after,
  }: { what?: string | undefined; currency?: string | undefined; limit: number; after?: RateKey | undefined },
): Promise<RateRow[]> {
  const { rows } = await store.query<RateRow>(EVERY_TENANT, {
    name: 'list-rates',
    text: `SELECT what, prefix, currency, micro_per_minute
           FROM platform_rate
           WHERE ($2::text IS NULL OR what = $2) AND ($3::text IS NULL OR currency = $3)
             AND (
               $4::text IS NULL
               OR (what COLLATE "C", currency COLLATE "C", prefix COLLATE "C") > ($4, $5::text, $6::text)
             )
           ORDER BY what COLLATE "C", currency COLLATE "C", prefix COLLATE "C"
           LIMIT $1`,
    values: [
      limit,
      what ?? null,
      currency ?? null,
      after?.what ?? null,
      after?.currency ?? null,
      after?.prefix ?? null,
    ],
  });
  return rows;
}

/** Returns the directions that have rates in a currency. */
export async function listRatedDirections(store: Store, currency: string): Promise<string[]> {
  const { rows } = await store.query<{ what: string }>(EVERY_TENANT, {
    name: 'list-rated',
    text: 'SELECT DISTINCT what FROM platform_rate WHERE currency = $1',
    values: [currency],
  });
  return rows.map(({ what }) => what);
}

/**
 * Sets rates, and deletes those with a null price; each key may occur once. Returns the rates
 * before and after.
 */
export async function updateRates(
  store: Store,
  wanted: readonly (RateKey & { readonly micro_per_minute: string | null })[],
): Promise<{ before: RateRow[]; after: RateRow[] }> {
  const keyColumns = (rates: readonly RateKey[]): string[][] => [
    rates.map(({ what }) => what),
    rates.map(({ prefix }) => prefix),
    rates.map(({ currency }) => currency),
  ];
  return inTransaction(store, EVERY_TENANT, async (tx) => {
    // One change at a time, so that two cannot deadlock.
    await tx.query({ name: 'lock-rates', text: `SELECT pg_advisory_xact_lock(hashtextextended('rates', 0))` });
    const { rows: before } = await tx.query<RateRow>({
      name: 'read-rates',
      text: `SELECT what, prefix, currency, micro_per_minute
             FROM platform_rate
             JOIN unnest($1::text[], $2::text[], $3::text[]) AS named (what, prefix, currency)
               USING (what, prefix, currency)
             ORDER BY what, currency, prefix`,
      values: keyColumns(wanted),
    });
    await tx.query({
      name: 'delete-rates',
      text: `DELETE FROM platform_rate r
             USING unnest($1::text[], $2::text[], $3::text[]) AS named (what, prefix, currency)
             WHERE (r.what, r.prefix, r.currency) = (named.what, named.prefix, named.currency)`,
      values: keyColumns(wanted),
    });
    const priced = wanted.filter((rate): rate is RateRow => rate.micro_per_minute !== null);
    const { rows: after } = await tx.query<RateRow>({
      name: 'insert-rates',
      text: `INSERT INTO platform_rate (what, prefix, currency, micro_per_minute)
             SELECT *
             FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
             RETURNING what, prefix, currency, micro_per_minute`,
      values: [...keyColumns(priced), priced.map((rate) => rate.micro_per_minute)],
    });
    return { before, after };
  });
}
