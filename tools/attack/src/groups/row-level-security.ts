import { EVERY_TENANT, inTransaction, type Store } from '@partyline/store/database/store';
import type { Group, Tally } from '../group.ts';
import { describeChanges, snapshotTenant, listTenantTables } from '../tenant-snapshot.ts';
import type { Target } from '../target.ts';

type Needs = Pick<Target, 'owner' | 'service'> & {
  readonly victim: Pick<Target['victim'], 'tenantId'>;
  readonly attacker: Pick<Target['attacker'], 'tenantId'>;
};

/** The tenant context in which a statement runs. None may reach the victim's rows. */
interface AccessPath {
  readonly name: string;
  run(service: Store, attacker: string, text: string, values: unknown[]): Promise<number | null>;
}

const rowsOf = async (query: Promise<{ rowCount: number | null }>): Promise<number | null> => (await query).rowCount;

const ACCESS_PATHS: readonly AccessPath[] = [
  {
    name: 'another tenant',
    run: (service, attacker, text, values) => rowsOf(service.query(attacker, { text, values })),
  },
  { name: 'no tenant', run: (service, _attacker, text, values) => rowsOf(service.pool.query(text, values)) },
  {
    name: 'an empty tenant id',
    run: (service, _attacker, text, values) => rowsOf(service.query('', { text, values })),
  },
  // The previous transaction must leave no tenant context on its connection.
  {
    name: 'no tenant, on a connection that the operator used',
    run: async (service, _attacker, text, values) => {
      await inTransaction(service, EVERY_TENANT, (tx) => tx.query('SELECT 1'));
      return rowsOf(service.pool.query(text, values));
    },
  },
  {
    name: 'another tenant, after the operator',
    run: async (service, attacker, text, values) => {
      await service.query(EVERY_TENANT, { text: 'SELECT 1' }).catch(() => undefined);
      return rowsOf(service.query(attacker, { text, values }));
    },
  },
  // For a role that is subject to it, switching off row-level security causes an error.
  {
    name: 'another tenant with row_security off',
    run: (service, attacker, text, values) =>
      inTransaction(service, attacker, async (tx) => {
        await tx.query('SET LOCAL row_security = off');
        return rowsOf(tx.query(text, values));
      }),
  },
];

/** Reads, changes, deletes and adds rows of every tenant table in every tenant context. */
export const rowLevelSecurity: Group<Needs> = {
  name: 'isolation',
  summary:
    'read, change, delete and add in every table as another tenant, without a tenant, on a reused connection; raw SQL',
  minInputs: 200,
  async run({ owner, service, victim, attacker }, tally) {
    const before = await snapshotTenant(owner, victim.tenantId);
    for (const table of await listTenantTables(owner)) {
      const row = await sampleRow(owner, table, victim.tenantId);
      const columns = await listColumns(owner, table);
      for (const way of ACCESS_PATHS) {
        const attempt = async (what: string, text: string, values: unknown[]): Promise<void> => {
          const outcome = await way
            .run(service, attacker.tenantId, text, values)
            .catch((error: { code?: string }) => error.code ?? 'an error without a code');
          tally.record(`${what} ${table} as ${way.name}`, faultOf(what, outcome));
        };
        await attempt('read', `SELECT * FROM ${table} WHERE tenant_id = $1`, [victim.tenantId]);
        await attempt(
          'read around in',
          `SELECT *
           FROM ${table} t
           WHERE (to_jsonb(t) ->> 'tenant_id') = $1
             OR t.tenant_id LIKE 'ten\\_%' AND t.tenant_id <> $2`,
          [victim.tenantId, attacker.tenantId],
        );
        await attempt('change', `UPDATE ${table} SET tenant_id = tenant_id WHERE tenant_id = $1`, [victim.tenantId]);
        await attempt('take over', `UPDATE ${table} SET tenant_id = $2 WHERE tenant_id = $1`, [
          victim.tenantId,
          attacker.tenantId,
        ]);
        await attempt('delete', `DELETE FROM ${table} WHERE tenant_id = $1`, [victim.tenantId]);
        await attempt(
          'add to',
          `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM jsonb_populate_record(NULL::${table}, $1)`,
          [row],
        );
      }
    }
    await attackRole({ service, attacker }, tally);
    tally.record('all of them together', describeChanges(before, await snapshotTenant(owner, victim.tenantId)));
  },
};

/** The columns that an INSERT may name, quoted and separated by commas. */
async function listColumns(owner: Store, table: string): Promise<string> {
  const { rows } = await owner.pool.query<{ columns: string }>(
    `SELECT string_agg(quote_ident(attname), ', ') AS columns
     FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
    [table],
  );
  return rows[0]!.columns;
}

/** A row of the victim to insert again. In an empty table: a row with only its tenant id. */
async function sampleRow(owner: Store, table: string, tenantId: string): Promise<string> {
  const { rows } = await owner.pool.query<{ row: string }>(
    `SELECT to_jsonb(t)::text AS row FROM ${table} t WHERE tenant_id = $1 LIMIT 1`,
    [tenantId],
  );
  return rows[0]?.row ?? JSON.stringify({ tenant_id: tenantId });
}

/**
 * Valid outcomes are no rows and 42501 (not allowed). Any other error means that the statement
 * passed the policies.
 */
function faultOf(what: string, came: number | string | null): string | null {
  if (came === '42501') return null;
  if (typeof came === 'string') return `passed the policies and failed with ${came}`;
  return what !== 'add to' && came === 0 ? null : `${what === 'add to' ? 'added' : 'reached'} ${came} rows`;
}

/**
 * Statements that try to leave a tenant's context within its transaction. Each must fail or have no
 * effect.
 */
const ESCAPES = [
  'SET LOCAL ROLE NONE',
  'RESET ROLE',
  'SET LOCAL SESSION AUTHORIZATION postgres',
  'ALTER TABLE room DISABLE ROW LEVEL SECURITY',
  'ALTER TABLE room NO FORCE ROW LEVEL SECURITY',
  'DROP POLICY tenant_rows ON room',
  'CREATE POLICY mine ON room USING (true)',
  'ALTER ROLE partyline_tenant BYPASSRLS',
  'ALTER ROLE partyline_tenant SUPERUSER',
  'GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC',
  'TRUNCATE room CASCADE',
  'CREATE TABLE loot AS SELECT * FROM room',
  'CREATE FUNCTION loot() RETURNS int LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$',
  `COPY room TO PROGRAM 'cat'`,
  `SELECT pg_read_file('/etc/passwd')`,
  'CREATE OR REPLACE FUNCTION tenant_in_context() RETURNS text LANGUAGE sql AS $$ SELECT NULL $$',
  `SELECT lo_import('/etc/passwd')`,
  'SET LOCAL ROLE postgres',
];

async function attackRole({ service, attacker }: Pick<Needs, 'service' | 'attacker'>, tally: Tally): Promise<void> {
  for (const text of ESCAPES) {
    const seen = await inTransaction(service, attacker.tenantId, async (tx) => {
      await tx.query(text);
      // Counts the visible rows of other tenants; the error rolls the transaction back.
      const { rows } = await tx.query<{ n: number }>(
        'SELECT count(*)::int AS n FROM room WHERE tenant_id IS DISTINCT FROM $1',
        [attacker.tenantId],
      );
      throw new VisibleRows(rows[0]?.n ?? 0);
    }).catch((error: unknown) => (error instanceof VisibleRows ? error.rows : null));
    tally.record(text, seen === null || seen === 0 ? null : `showed ${seen} rooms of other tenants`);
  }
  // Tenant ids that try to end the statement which sets them.
  for (const hostile of [
    `x'; SET LOCAL ROLE partyline_platform; --`,
    `' OR ''='`,
    `x\\'; RESET ROLE; --`,
    `$$; RESET ROLE; $$`,
    `${attacker.tenantId}\u0000`,
    `%`,
    `_`,
  ]) {
    const seen = await service.query<{ n: number }>(hostile, { text: 'SELECT count(*)::int AS n FROM room' }).then(
      ({ rows }) => rows[0]?.n ?? 0,
      () => 0,
    );
    tally.record(`the tenant id ${JSON.stringify(hostile)}`, seen === 0 ? null : `showed ${seen} rooms`);
  }
}

class VisibleRows extends Error {
  readonly rows: number;
  constructor(rows: number) {
    super('Rolls the transaction back and carries the count.');
    this.rows = rows;
  }
}
