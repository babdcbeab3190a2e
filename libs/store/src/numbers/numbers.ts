import { EVERY_TENANT, type Store, type Tx } from '../database/store.ts';

/* Platform-wide: numbers are the operator's; what a tenant may use of them is asked for by tenant. */

/** Which number a room is wanted on; what is left out may be any. */
export interface NumberCriteria {
  /** This one. */
  readonly number?: string | undefined;
  /** ISO 3166-1, two letters. */
  readonly country?: string | undefined;
  /** BCP 47; a language alone (`de`) is any of its variants. */
  readonly language?: string | undefined;
  readonly tollFree?: boolean | undefined;
  readonly kind?: 'shared' | 'dedicated' | undefined;
}

interface FoundNumber {
  readonly e164: string;
  readonly language: string;
  /** Whether it is this tenant's alone. */
  readonly dedicated: boolean;
  /** A room of the tenant's has all its calls, without a PIN. */
  readonly bound: boolean;
  /** The provider account that its calls come in at; null: the platform's. */
  readonly account_id: string | null;
  /** By the database's clock. */
  readonly now: Date;
}

/**
 * The number for a room of this tenant's: of those that it may use and that are as wanted, a shared one before its own, the oldest first, and none that another
 * room has for itself unless it is named. `null` when there is none.
 */
export async function findNumber(store: Store, tenantId: string, wanted: NumberCriteria): Promise<FoundNumber | null> {
  const { rows } = await store.query<FoundNumber>(tenantId, {
    name: 'find-number',
    text: `SELECT e164, language, dedicated, bound, account_id, now() AS now FROM (
             SELECT d.e164, d.language, d.created_at, d.account_id, d.dedicated_to IS NOT NULL AS dedicated,
                    d.dedicated_to IS NOT NULL AND EXISTS (SELECT FROM room r WHERE r.number = d.e164 AND r.state = 'active' AND r.pinless) AS bound
             FROM dial_in_number d
             WHERE (d.dedicated_to IS NULL OR d.dedicated_to = $1) AND ($2::text IS NULL OR d.e164 = $2) AND ($3::text IS NULL OR d.country = $3)
               AND ($4::text IS NULL OR d.language = $4 OR d.language LIKE $4 || '-%') AND ($5::boolean IS NULL OR d.toll_free = $5) AND ($6::text IS NULL OR (d.dedicated_to IS NOT NULL) = ($6 = 'dedicated'))
           ) AS usable WHERE $2::text IS NOT NULL OR NOT bound ORDER BY dedicated, created_at, e164 LIMIT 1`,
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

/** Holds a number for a room of this tenant's: it does not change hands, nor go, until this transaction ends. `null` when the tenant may not use it (any more). */
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

/** Is a number this tenant's alone? */
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
  /** The account of its tenant's own in which its rooms live; null: the platform's. */
  readonly account_id: string | null;
}

const COLUMNS = 'e164, language, country, toll_free, dedicated_to, account_id';
const OPERATOR_COLUMNS = `${COLUMNS}, guarded, max_unadmitted, slow_until`;

/** A number with what only operators see of it. */
export interface OperatorNumberRow extends NumberRow {
  /** Are callers who are not yet admitted counted and held back, and how many may be asked for a PIN at once? */
  readonly guarded: boolean;
  readonly max_unadmitted: number;
  /** In slow mode until then. */
  readonly slow_until: Date | null;
}
export type NewNumber = Omit<OperatorNumberRow, 'slow_until'>;

/** The numbers that a tenant may create rooms on, its own first; few enough for one page. */
export async function listNumbers(
  store: Store,
  tenantId: string,
  wanted: Omit<NumberCriteria, 'number'>,
): Promise<NumberRow[]> {
  const { rows } = await store.query<NumberRow>(tenantId, {
    name: 'list-numbers',
    text: `SELECT ${COLUMNS} FROM dial_in_number d
           WHERE (dedicated_to IS NULL OR dedicated_to = $1) AND ($2::text IS NULL OR country = $2) AND ($3::text IS NULL OR language = $3 OR language LIKE $3 || '-%')
             AND ($4::boolean IS NULL OR toll_free = $4) AND ($5::text IS NULL OR (dedicated_to IS NOT NULL) = ($5 = 'dedicated')) ORDER BY dedicated_to IS NULL, e164`,
    values: [tenantId, wanted.country ?? null, wanted.language ?? null, wanted.tollFree ?? null, wanted.kind ?? null],
  });
  return rows;
}

/** Every number in the order of its digits, a page at a time; `tenantId`: only those of this tenant alone. */
export async function listAllNumbers(
  store: Store,
  { limit, after, tenantId }: { limit: number; after?: string | undefined; tenantId?: string | undefined },
): Promise<OperatorNumberRow[]> {
  const { rows } = await store.query<OperatorNumberRow>(EVERY_TENANT, {
    name: 'list-all-numbers',
    text: `SELECT ${OPERATOR_COLUMNS} FROM dial_in_number
           WHERE ($2::text IS NULL OR e164 COLLATE "C" > $2) AND ($3::text IS NULL OR dedicated_to = $3) ORDER BY e164 COLLATE "C" LIMIT $1`,
    values: [limit, after ?? null, tenantId ?? null],
  });
  return rows;
}

/** Adds a number; `null` when it is there already. */
export async function insertNumber(
  tx: Tx,
  { e164, language, country, toll_free, dedicated_to, account_id, guarded, max_unadmitted }: NewNumber,
): Promise<OperatorNumberRow | null> {
  const { rows } = await tx.query<OperatorNumberRow>({
    name: 'insert-number',
    text: `INSERT INTO dial_in_number (${COLUMNS}, guarded, max_unadmitted) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING ${OPERATOR_COLUMNS}`,
    values: [e164, language, country, toll_free, dedicated_to, account_id, guarded, max_unadmitted],
  });
  return rows[0] ?? null;
}

/** Locks a number; says how many active rooms are on it. `null` when there is none. */
export async function lockNumber(tx: Tx, e164: string): Promise<(OperatorNumberRow & { rooms: number }) | null> {
  const { rows } = await tx.query<OperatorNumberRow>({
    name: 'lock-number',
    text: `SELECT ${OPERATOR_COLUMNS} FROM dial_in_number WHERE e164 = $1 FOR UPDATE`,
    values: [e164],
  });
  if (rows[0] === undefined) return null;
  // By a statement of its own, which sees the rooms whose making the lock was waited for.
  const counted = await tx.query<{ rooms: number }>({
    name: 'count-rooms-on-number',
    text: `SELECT count(*)::int AS rooms FROM room WHERE number = $1 AND state = 'active'`,
    values: [e164],
  });
  return { ...rows[0], rooms: counted.rows[0]!.rooms };
}

/** Writes what is said of a number. */
export async function saveNumber(
  tx: Tx,
  { e164, language, country, toll_free, dedicated_to, account_id, guarded, max_unadmitted }: NewNumber,
): Promise<void> {
  await tx.query({
    name: 'save-number',
    text: 'UPDATE dial_in_number SET language = $2, country = $3, toll_free = $4, dedicated_to = $5, account_id = $6, guarded = $7, max_unadmitted = $8 WHERE e164 = $1',
    values: [e164, language, country, toll_free, dedicated_to, account_id, guarded, max_unadmitted],
  });
}

/** Takes a number away. */
export async function deleteNumber(tx: Tx, e164: string): Promise<void> {
  await tx.query({ name: 'delete-number', text: 'DELETE FROM dial_in_number WHERE e164 = $1', values: [e164] });
}

/** Active rooms on a number whose one tenant is suspended, and so cannot end them: at most `limit`, oldest first. */
export async function listRoomsOfSuspendedTenant(
  store: Store,
  e164: string,
  limit: number,
): Promise<{ tenant_id: string; id: string }[]> {
  const { rows } = await store.query<{ tenant_id: string; id: string }>(EVERY_TENANT, {
    name: 'rooms-of-suspended',
    text: `SELECT r.tenant_id, r.id FROM dial_in_number d JOIN tenant t ON t.id = d.dedicated_to AND t.suspended_at IS NOT NULL JOIN room r ON r.number = d.e164 AND r.tenant_id = t.id AND r.state = 'active'
           WHERE d.e164 = $1 ORDER BY r.created_at, r.id LIMIT $2`,
    values: [e164, limit],
  });
  return rows;
}
