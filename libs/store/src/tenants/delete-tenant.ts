import { EVERY_TENANT, inTransaction, type Store, type Tx } from '../database/store.ts';
import { lockTenant } from './tenants.ts';

/** What outlives its tenant: what was done, and what it cost. */
export const RETAINED_TABLES: readonly string[] = ['audit_entry', 'cdr'];
/** Rows of these are found by their legs, which is what they have an index for. */
const THROUGH_LEGS = ['hang_up_attempt', 'observation'] as const;
/** These go with what they hang on; to look for them by their tenant would be to read all of everybody's. */
const CASCADED_TABLES = ['leg', 'delivery', 'delivery_attempt', 'idempotency_step'];

/** What goes in one transaction, which must be done well within a statement's time: so many sessions with all that was noted of them, so many rows of what is smaller. */
const SESSIONS_PER_BATCH = 200;
const ROWS_PER_BATCH = 2_000;

/** Of what there may be hundreds of thousands, in this order, each by an index (seen: a tenant with 300,000 deliveries that could never be deleted). */
const BATCHED_DELETES = [
  'DELETE FROM delivery WHERE id IN (SELECT d.id FROM endpoint e JOIN delivery d ON d.endpoint_id = e.id WHERE e.tenant_id = $1 LIMIT $2)',
  'DELETE FROM outbox WHERE id IN (SELECT o.id FROM outbox o WHERE o.tenant_id = $1 ORDER BY o.id LIMIT $2)',
  'DELETE FROM idempotency_key WHERE id IN (SELECT k.id FROM idempotency_key k WHERE k.tenant_id = $1 LIMIT $2)',
  'DELETE FROM participant WHERE id IN (SELECT p.id FROM participant p WHERE p.tenant_id = $1 LIMIT $2)',
  'DELETE FROM pin WHERE id IN (SELECT p.id FROM room r JOIN pin p ON p.room_id = r.id WHERE r.tenant_id = $1 LIMIT $2)',
  'DELETE FROM room WHERE id IN (SELECT r.id FROM room r WHERE r.tenant_id = $1 LIMIT $2)',
];

type DeleteOutcome = 'deleted' | 'no-tenant' | 'not-suspended' | 'legs-up' | 'has-numbers';

/**
 * Deletes a tenant with all its rows but those of `KEPT_TABLES`: only one that is suspended, that has no number of its own (which the operator has bought, and
 * says what becomes of), and when none of its legs is up. In several transactions:
 * a process that dies between two leaves a suspended tenant with fewer rows, and who deletes it again goes on from there.
 */
export async function deleteTenant(store: Store, tenantId: string): Promise<DeleteOutcome> {
  for (;;) {
    const step = await inTransaction(store, EVERY_TENANT, async (tx): Promise<DeleteOutcome | 'more'> => {
      const tenant = await lockTenant(tx, tenantId);
      if (tenant === null) return 'no-tenant';
      if (tenant.suspended_at === null) return 'not-suspended';
      if (await hasNumber(tx, tenantId)) return 'has-numbers';
      if (await hasLegUp(tx, tenantId)) return 'legs-up';
      if ((await deleteSessions(tx, tenantId)) || (await deleteBatch(tx, tenantId))) return 'more';
      // Keys and endpoints go with it; then what names it without a foreign key, whichever tables that is true of.
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

async function hasLegUp(tx: Tx, tenantId: string): Promise<boolean> {
  const { rows } = await tx.query<{ up: boolean }>({
    name: 'tenant-has-leg-up',
    // Callers who are not admitted are nobody's, but those on its own accounts can be hung up only while these are there.
    text: `SELECT EXISTS (SELECT FROM session s JOIN leg l ON l.session_id = s.id WHERE s.tenant_id = $1 AND l.state <> 'ended')
             OR EXISTS (SELECT FROM provider_account a JOIN leg l ON l.account_id = a.id WHERE a.tenant_id = $1 AND l.session_id IS NULL AND l.state <> 'ended') AS up`,
    values: [tenantId],
  });
  return rows[0]!.up;
}

/** Some of a tenant's sessions with their legs and all that was noted of them; `false` when there was none left. */
async function deleteSessions(tx: Tx, tenantId: string): Promise<boolean> {
  const { rows } = await tx.query<{ id: string }>({
    name: 'sessions-to-delete',
    text: 'SELECT id FROM session WHERE tenant_id = $1 LIMIT $2',
    values: [tenantId, SESSIONS_PER_BATCH],
  });
  if (rows.length === 0) return false;
  const ids = rows.map(({ id }) => id);
  for (const table of THROUGH_LEGS)
    await tx.query({
      name: `delete-${table}`,
      text: `DELETE FROM ${table} WHERE leg_id IN (SELECT l.id FROM leg l WHERE l.session_id = ANY($1))`,
      values: [ids],
    });
  await tx.query({ name: 'delete-outbox', text: 'DELETE FROM outbox WHERE session_id = ANY($1)', values: [ids] });
  await tx.query({ name: 'delete-sessions', text: 'DELETE FROM session WHERE id = ANY($1)', values: [ids] });
  return true;
}

/** Some of what else there may be much of; `false` when there was none left. */
async function deleteBatch(tx: Tx, tenantId: string): Promise<boolean> {
  for (const text of BATCHED_DELETES)
    if (((await tx.query(text, [tenantId, ROWS_PER_BATCH])).rowCount ?? 0) > 0) return true;
  return false;
}

/** Quoted, to be put into a statement; read off the catalogue, so that a table that is made tomorrow is not forgotten. */
async function tablesOfTenants(tx: Tx): Promise<string[]> {
  const { rows } = await tx.query<{ name: string }>({
    name: 'tables-of-tenants',
    text: `SELECT quote_ident(c.relname) AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
           WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND c.relname <> ALL($1) ORDER BY 1`,
    values: [[...RETAINED_TABLES, ...THROUGH_LEGS, ...CASCADED_TABLES]],
  });
  return rows.map(({ name }) => name);
}
