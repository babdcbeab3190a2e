import { EVERY_TENANT, type Store, type Tx } from '../database/store.ts';

/* Platform-wide: numbers belong to the operator; queries on behalf of a tenant take the tenant. */

/** Criteria for a number. A field that is left out matches all. */
export interface NumberCriteria {
  /** One specific number. */
  readonly number?: string | undefined;
  /** ISO 3166-1, two letters. */
  readonly country?: string | undefined;
  /** BCP 47. A language without region (`de`) matches all its variants. */
  readonly language?: string | undefined;
  readonly tollFree?: boolean | undefined;
  readonly kind?: 'shared' | 'dedicated' | undefined;
}

interface FoundNumber {
  readonly e164: string;
  readonly language: string;
  /** Whether the number is dedicated to this tenant. */
  readonly dedicated: boolean;
  /** Whether the number's calls all join one pinless room of the tenant. */
  readonly bound: boolean;
  /** The provider account of the number's calls; null: the platform's. */
  readonly account_id: string | null;
  /** The database clock. */
  readonly now: Date;
}

/**
 * Returns a number for a room among those that the tenant may use and that match: shared numbers
 * before dedicated ones, then the oldest. The number of a pinless room is returned only when it is
 * named. Returns `null` when none matches.
 */
export async function findNumber(store: Store, tenantId: string, wanted: NumberCriteria): Promise<FoundNumber | null> {
  const { rows } = await store.query<FoundNumber>(tenantId, {
    name: 'find-number',
    text: `SELECT e164, language, dedicated, bound, account_id, now() AS now
           FROM (
             SELECT d.e164, d.language, d.created_at, d.account_id, d.dedicated_to IS NOT NULL AS dedicated,
               d.dedicated_to IS NOT NULL AND EXISTS (
                 SELECT FROM room r WHERE r.number = d.e164 AND r.state = 'active' AND r.pinless
               ) AS bound
             FROM dial_in_number d
             WHERE (d.dedicated_to IS NULL OR d.dedicated_to = $1)
               AND ($2::text IS NULL OR d.e164 = $2)
               AND ($3::text IS NULL OR d.country = $3)
               AND ($4::text IS NULL OR d.language = $4 OR d.language LIKE $4 || '-%')
               AND ($5::boolean IS NULL OR d.toll_free = $5)
               AND ($6::text IS NULL OR (d.dedicated_to IS NOT NULL) = ($6 = 'dedicated'))
           ) AS usable
           WHERE $2::text IS NOT NULL OR NOT bound
           ORDER BY dedicated, created_at, e164
           LIMIT 1`,
    values: [
      tenantId,
      wanted.number ?? null,
      wanted.country ?? null,
      wanted.language ?? null,
      wanted.tollFree ?? null,
      wanted.kind ?? null,
    ],
  });
  return rows[0] ?? null;
}

/**
 * Locks a number for a room against changes and deletion, until the end of the transaction. Returns
 * `null` when the tenant may not use it.
 */
export async function lockNumberForRoom(
  tx: Tx,
  tenantId: string,
  e164: string,
): Promise<{ dedicated: boolean; account_id: string | null } | null> {
  const { rows } = await tx.query<{ dedicated: boolean; account_id: string | null }>({
    name: 'lock-number-for-room',
    text: 'SELECT dedicated, account_id FROM lock_number($1, $2)',
    values: [tenantId, e164],
  });
  return rows[0] ?? null;
}

/** Whether a number is dedicated to the tenant. */
export async function isDedicated(tx: Tx, tenantId: string, number: string): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'number-is-dedicated',
    text: 'SELECT FROM dial_in_number WHERE dedicated_to = $1 AND e164 = $2',
    values: [tenantId, number],
  });
  return rowCount === 1;
}

export interface NumberRow {
  readonly e164: string;
  readonly language: string;
  readonly country: string | null;
  readonly toll_free: boolean;
  /** Null: shared. */
  readonly dedicated_to: string | null;
  /** The tenant's provider account that its rooms use; null: the platform's. */
  readonly account_id: string | null;
}

const COLUMNS = 'e164, language, country, toll_free, dedicated_to, account_id';
const OPERATOR_COLUMNS = `${COLUMNS}, guarded, max_unadmitted, max_per_caller_id, slow_until,
  (SELECT trunk_host FROM provider_account WHERE id = account_id) AS trunk_host`;

/** A number with the fields that only operators see. */
export interface OperatorNumberRow extends NumberRow {
  /** Where the account's outbound calls go, if it is a SIP trunk. */
  readonly trunk_host: string | null;
  /** Whether callers before admission are limited, and how many may be asked for a PIN at once. */
  readonly guarded: boolean;
  readonly max_unadmitted: number;
  /** … and how many with one caller id. */
  readonly max_per_caller_id: number;
  /** The end of slow mode. */
  readonly slow_until: Date | null;
}
export type NewNumber = Omit<OperatorNumberRow, 'slow_until' | 'trunk_host'>;

/**
 * Returns the numbers on which a tenant may create rooms, dedicated ones first. They fit on one
 * page.
 */
export async function listNumbers(
  store: Store,
  tenantId: string,
  wanted: Omit<NumberCriteria, 'number'>,
): Promise<NumberRow[]> {
  const { rows } = await store.query<NumberRow>(tenantId, {
    name: 'list-numbers',
    text: `SELECT ${COLUMNS}
           FROM dial_in_number d
           WHERE (dedicated_to IS NULL OR dedicated_to = $1)
             AND ($2::text IS NULL OR country = $2)
             AND ($3::text IS NULL OR language = $3 OR language LIKE $3 || '-%')
             AND ($4::boolean IS NULL OR toll_free = $4)
             AND ($5::text IS NULL OR (dedicated_to IS NOT NULL) = ($5 = 'dedicated'))
           ORDER BY dedicated_to IS NULL, e164`,
    values: [tenantId, wanted.country ?? null, wanted.language ?? null, wanted.tollFree ?? null, wanted.kind ?? null],
  });
  return rows;
}

/**
 * Returns a page of all numbers in the order of their digits. `tenantId`: only those dedicated to
 * this tenant.
 */
export async function listAllNumbers(
  store: Store,
  { limit, after, tenantId }: { limit: number; after?: string | undefined; tenantId?: string | undefined },
): Promise<OperatorNumberRow[]> {
  const { rows } = await store.query<OperatorNumberRow>(EVERY_TENANT, {
    name: 'list-all-numbers',
    text: `SELECT ${OPERATOR_COLUMNS}
           FROM dial_in_number
           WHERE ($2::text IS NULL OR e164 COLLATE "C" > $2) AND ($3::text IS NULL OR dedicated_to = $3)
           ORDER BY e164 COLLATE "C"
           LIMIT $1`,
    values: [limit, after ?? null, tenantId ?? null],
  });
  return rows;
}

/** Inserts a number; returns `null` when it exists. */
export async function insertNumber(
  tx: Tx,
  {
    e164,
    language,
    country,
    toll_free,
    dedicated_to,
    account_id,
    guarded,
    max_unadmitted,
    max_per_caller_id,
  }: NewNumber,
): Promise<OperatorNumberRow | null> {
  const { rows } = await tx.query<OperatorNumberRow>({
    name: 'insert-number',
    text: `INSERT INTO dial_in_number (${COLUMNS}, guarded, max_unadmitted, max_per_caller_id)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           ON CONFLICT DO NOTHING
           RETURNING ${OPERATOR_COLUMNS}`,
    values: [e164, language, country, toll_free, dedicated_to, account_id, guarded, max_unadmitted, max_per_caller_id],
  });
  return rows[0] ?? null;
}

/** Locks a number and counts its active rooms; returns `null` when there is no such number. */
export async function lockNumber(tx: Tx, e164: string): Promise<(OperatorNumberRow & { rooms: number }) | null> {
  const { rows } = await tx.query<OperatorNumberRow>({
    name: 'lock-number',
    text: `SELECT ${OPERATOR_COLUMNS} FROM dial_in_number WHERE e164 = $1 FOR UPDATE`,
    values: [e164],
  });
  if (rows[0] === undefined) return null;
  // A second statement sees the rooms that were committed while this one waited for the lock.
  const counted = await tx.query<{ rooms: number }>({
    name: 'count-rooms-on-number',
    text: `SELECT count(*)::int AS rooms FROM room WHERE number = $1 AND state = 'active'`,
    values: [e164],
  });
  return { ...rows[0], rooms: counted.rows[0]!.rooms };
}

/** Writes all settings of a number. */
export async function saveNumber(
  tx: Tx,
  {
    e164,
    language,
    country,
    toll_free,
    dedicated_to,
    account_id,
    guarded,
    max_unadmitted,
    max_per_caller_id,
  }: NewNumber,
): Promise<void> {
  await tx.query({
    name: 'save-number',
    text: `UPDATE dial_in_number
           SET language = $2, country = $3, toll_free = $4, dedicated_to = $5, account_id = $6, guarded = $7,
             max_unadmitted = $8, max_per_caller_id = $9
           WHERE e164 = $1`,
    values: [e164, language, country, toll_free, dedicated_to, account_id, guarded, max_unadmitted, max_per_caller_id],
  });
}

/**
 * Ends slow mode of a number and clears its wrong PINs of 30 days. For a number that changes its
 * account: only wrong PINs at its account count, because a tenant can sign any content.
 */
export async function clearGuesses(tx: Tx, e164: string): Promise<void> {
  await tx.query({
    name: 'end-slow-mode',
    text: 'UPDATE dial_in_number SET slow_until = NULL WHERE e164 = $1',
    values: [e164],
  });
  await tx.query({ name: 'clear-guess-days', text: 'DELETE FROM pin_guess_day WHERE number = $1', values: [e164] });
}

export async function deleteNumber(tx: Tx, e164: string): Promise<void> {
  await tx.query({ name: 'delete-number', text: 'DELETE FROM dial_in_number WHERE e164 = $1', values: [e164] });
}

/**
 * Returns the active rooms on the number of a suspended tenant, which cannot end them itself; at
 * most `limit`, oldest first.
 */
export async function listRoomsOfSuspendedTenant(
  store: Store,
  e164: string,
  limit: number,
): Promise<{ tenant_id: string; id: string }[]> {
  const { rows } = await store.query<{ tenant_id: string; id: string }>(EVERY_TENANT, {
    name: 'rooms-of-suspended',
    text: `SELECT r.tenant_id, r.id
           FROM dial_in_number d
           JOIN tenant t ON t.id = d.dedicated_to AND t.suspended_at IS NOT NULL
           JOIN room r ON r.number = d.e164 AND r.tenant_id = t.id AND r.state = 'active'
           WHERE d.e164 = $1
           ORDER BY r.created_at, r.id
           LIMIT $2`,
    values: [e164, limit],
  });
  return rows;
}
