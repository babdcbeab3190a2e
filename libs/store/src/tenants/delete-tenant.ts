import { EVERY_TENANT, inTransaction, type Store, type Tx } from '../database/store.ts';
import { blocksDeletion } from '../provider-accounts/block-deletion.ts';
import { lockTenant } from './tenants.ts';

/** Tables whose rows outlive the tenant: the audit log and the charges. */
export const RETAINED_TABLES: readonly string[] = ['audit_entry', 'cdr'];
/** Tables without an index on the tenant: their rows are found by leg id. */
const TABLES_KEYED_BY_LEG = ['hang_up_attempt', 'observation'] as const;
/** Tables whose rows are deleted by a cascade. They have no index on the tenant. */
const CASCADED_TABLES = ['leg', 'delivery', 'delivery_attempt', 'idempotency_step'];

/** The size of one transaction, which must stay well within the statement timeout. */
const SESSIONS_PER_BATCH = 200;
const ROWS_PER_BATCH = 2_000;

/**
 * Deletes of rows that may be many, in this order, each by an index. In one statement, 300,000
 * deliveries once always timed out.
 */
const BATCHED_DELETES = [
  // Callers who were never admitted, at the tenant's accounts.
  `DELETE FROM hang_up_attempt
   WHERE (leg_id, no) IN (
     SELECT h.leg_id, h.no
     FROM leg l
     JOIN hang_up_attempt h ON h.leg_id = l.id
     WHERE l.tenant_id = $1 AND l.session_id IS NULL
     LIMIT $2
   )`,
  `DELETE FROM observation
   WHERE id IN (
     SELECT o.id
     FROM leg l
     JOIN observation o ON o.leg_id = l.id
     WHERE l.tenant_id = $1 AND l.session_id IS NULL
     LIMIT $2
   )`,
  'DELETE FROM leg WHERE id IN (SELECT l.id FROM leg l WHERE l.tenant_id = $1 AND l.session_id IS NULL LIMIT $2)',
  `DELETE FROM delivery
   WHERE id IN (SELECT d.id FROM endpoint e JOIN delivery d ON d.endpoint_id = e.id WHERE e.tenant_id = $1 LIMIT $2)`,
  'DELETE FROM outbox WHERE id IN (SELECT o.id FROM outbox o WHERE o.tenant_id = $1 ORDER BY o.id LIMIT $2)',
  'DELETE FROM idempotency_key WHERE id IN (SELECT k.id FROM idempotency_key k WHERE k.tenant_id = $1 LIMIT $2)',
  'DELETE FROM participant WHERE id IN (SELECT p.id FROM participant p WHERE p.tenant_id = $1 LIMIT $2)',
  `DELETE FROM pin
   WHERE id IN (SELECT p.id FROM room r JOIN pin p ON p.room_id = r.id WHERE r.tenant_id = $1 LIMIT $2)`,
  'DELETE FROM room WHERE id IN (SELECT r.id FROM room r WHERE r.tenant_id = $1 LIMIT $2)',
];

type DeleteOutcome = 'deleted' | 'no-tenant' | 'not-suspended' | 'legs-up' | 'has-numbers';

/**
 * Deletes a tenant with all its rows, except those of `RETAINED_TABLES`. The tenant must be
 * suspended, without dedicated numbers (the operator decides about these) and without live legs,
 * except those of `blocksDeletion`.
 * Runs in several transactions: after a crash, the tenant is suspended with fewer rows, and a
 * repeated call continues.
 */
export async function deleteTenant(store: Store, tenantId: string): Promise<DeleteOutcome> {
  for (;;) {
    const step = await inTransaction(store, EVERY_TENANT, async (tx): Promise<DeleteOutcome | 'more'> => {
      const tenant = await lockTenant(tx, tenantId);
      if (tenant === null) return 'no-tenant';
      if (tenant.suspended_at === null) return 'not-suspended';
      if (await hasNumber(tx, tenantId)) return 'has-numbers';
      if (await hasBlockingLeg(tx, tenantId)) return 'legs-up';
      if ((await deleteSessions(tx, tenantId)) || (await deleteBatch(tx, tenantId))) return 'more';
      // Keys and endpoints are deleted by a cascade, rows of tables without a foreign key below.
      await tx.query({ name: 'delete-tenant', text: 'DELETE FROM tenant WHERE id = $1', values: [tenantId] });
      for (const table of await tablesOfTenants(tx))
        await tx.query(`DELETE FROM ${table} WHERE tenant_id = $1`, [tenantId]);
      return 'deleted';
    });
    if (step !== 'more') return step;
  }
}

async function hasNumber(tx: Tx, tenantId: string): Promise<boolean> {
  const { rows } = await tx.query<{ has: boolean }>({
    name: 'tenant-has-number',
    text: 'SELECT EXISTS (SELECT FROM dial_in_number WHERE dedicated_to = $1) AS has',
    values: [tenantId],
  });
  return rows[0]!.has;
}

async function hasBlockingLeg(tx: Tx, tenantId: string): Promise<boolean> {
  const { rows } = await tx.query<{ up: boolean }>({
    name: 'tenant-has-leg-up',
    // Callers before admission have no session. Those at its accounts can be hung up only while the
    // accounts exist.
    text: `SELECT EXISTS (
               SELECT
               FROM session s
               JOIN leg l ON l.session_id = s.id
               WHERE s.tenant_id = $1 AND ${blocksDeletion('l')}
             )
             OR EXISTS (
               SELECT
               FROM provider_account a
               JOIN leg l ON l.account_id = a.id
               WHERE a.tenant_id = $1 AND l.session_id IS NULL AND ${blocksDeletion('l')}
             ) AS up`,
    values: [tenantId],
  });
  return rows[0]!.up;
}

/**
 * Deletes one batch of sessions with their legs, attempts, observations and events; `false` when
 * there was none.
 */
async function deleteSessions(tx: Tx, tenantId: string): Promise<boolean> {
  const { rows } = await tx.query<{ id: string }>({
    name: 'sessions-to-delete',
    text: 'SELECT id FROM session WHERE tenant_id = $1 LIMIT $2',
    values: [tenantId, SESSIONS_PER_BATCH],
  });
  if (rows.length === 0) return false;
  const ids = rows.map(({ id }) => id);
  for (const table of TABLES_KEYED_BY_LEG)
    await tx.query({
      name: `delete-${table}`,
      text: `DELETE FROM ${table} WHERE leg_id IN (SELECT l.id FROM leg l WHERE l.session_id = ANY($1))`,
      values: [ids],
    });
  await tx.query({ name: 'delete-outbox', text: 'DELETE FROM outbox WHERE session_id = ANY($1)', values: [ids] });
  await tx.query({ name: 'delete-sessions', text: 'DELETE FROM session WHERE id = ANY($1)', values: [ids] });
  return true;
}

/** Deletes one batch of other rows; `false` when there was none. */
async function deleteBatch(tx: Tx, tenantId: string): Promise<boolean> {
  for (const text of BATCHED_DELETES)
    if (((await tx.query(text, [tenantId, ROWS_PER_BATCH])).rowCount ?? 0) > 0) return true;
  return false;
}

/**
 * Returns the quoted names of the other tables with a tenant_id, from the catalog, so that new
 * tables are included.
 */
async function tablesOfTenants(tx: Tx): Promise<string[]> {
  const { rows } = await tx.query<{ name: string }>({
    name: 'tables-of-tenants',
    text: `SELECT quote_ident(c.relname) AS name
           FROM pg_class c
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
           WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND c.relname <> ALL($1)
           ORDER BY 1`,
    values: [[...RETAINED_TABLES, ...TABLES_KEYED_BY_LEG, ...CASCADED_TABLES]],
  });
  return rows.map(({ name }) => name);
}
