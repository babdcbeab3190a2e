import { EVERY_TENANT, inTransaction, type Store } from '../database/store.ts';

/* Platform-wide: the operator's price list, by which everything is counted that the provider has not charged yet. */

/** A line of the list is named by these. */
interface RateKey {
  /** inbound | outbound | bridge-voice | bridge-media | webrtc */
  readonly what: string;
  /** How numbers begin; empty: all others. */
  readonly prefix: string;
  /** ISO 4217. */
  readonly currency: string;
}
export interface RateRow extends RateKey {
  /** Millionths of the currency's unit, as text. */
  readonly micro_per_minute: string;
}

/** A page of the list in the order of what, currency and prefix; `after` is the last line of the page before. */
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
    text: `SELECT what, prefix, currency, micro_per_minute FROM platform_rate
           WHERE ($2::text IS NULL OR what = $2) AND ($3::text IS NULL OR currency = $3)
             AND ($4::text IS NULL OR (what COLLATE "C", currency COLLATE "C", prefix COLLATE "C") > ($4, $5::text, $6::text))
           ORDER BY what COLLATE "C", currency COLLATE "C", prefix COLLATE "C" LIMIT $1`,
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

/** What the list has lines of in a currency. */
export async function listRatedDirections(store: Store, currency: string): Promise<string[]> {
  const { rows } = await store.query<{ what: string }>(EVERY_TENANT, {
    name: 'list-rated',
    text: 'SELECT DISTINCT what FROM platform_rate WHERE currency = $1',
    values: [currency],
  });
  return rows.map(({ what }) => what);
}

/** Sets lines, and takes out those whose price is null; each is named once. Answers those that there were, and that there are now. */
export async function updateRates(
  store: Store,
  wanted: readonly (RateKey & { readonly micro_per_minute: string | null })[],
): Promise<{ before: RateRow[]; after: RateRow[] }> {
  const named = (rates: readonly RateKey[]): string[][] => [
    rates.map(({ what }) => what),
    rates.map(({ prefix }) => prefix),
    rates.map(({ currency }) => currency),
  ];
  return inTransaction(store, EVERY_TENANT, async (tx) => {
    // Whoever else changes some waits here, so that two cannot wait for each other.
    await tx.query({ name: 'lock-rates', text: `SELECT pg_advisory_xact_lock(hashtextextended('rates', 0))` });
    const { rows: before } = await tx.query<RateRow>({
      name: 'read-rates',
      text: 'SELECT what, prefix, currency, micro_per_minute FROM platform_rate JOIN unnest($1::text[], $2::text[], $3::text[]) AS named (what, prefix, currency) USING (what, prefix, currency) ORDER BY what, currency, prefix',
      values: named(wanted),
    });
    await tx.query({
      name: 'delete-rates',
      text: 'DELETE FROM platform_rate r USING unnest($1::text[], $2::text[], $3::text[]) AS named (what, prefix, currency) WHERE (r.what, r.prefix, r.currency) = (named.what, named.prefix, named.currency)',
      values: named(wanted),
    });
    const kept = wanted.filter((rate): rate is RateRow => rate.micro_per_minute !== null);
    const { rows: after } = await tx.query<RateRow>({
      name: 'insert-rates',
      text: 'INSERT INTO platform_rate (what, prefix, currency, micro_per_minute) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) RETURNING what, prefix, currency, micro_per_minute',
      values: [...named(kept), kept.map((rate) => rate.micro_per_minute)],
    });
    return { before, after };
  });
}
