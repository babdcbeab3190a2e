import { EVERY_TENANT, inTransaction, type Store } from '@partyline/store/database/store';
import type { Group, Tally } from '../group.ts';
import { difference, stateOf, tenantTables } from '../state.ts';
import type { Target } from '../target.ts';

type Needs = Pick<Target, 'owner' | 'service'> & {
  readonly victim: Pick<Target['victim'], 'tenantId'>;
  readonly attacker: Pick<Target['attacker'], 'tenantId'>;
};

/** In whose name a statement is run, none of which may reach the victim's rows. */
interface Way {
  readonly as: string;
  run(service: Store, attacker: string, text: string, values: unknown[]): Promise<number | null>;
}

const rowsOf = async (query: Promise<{ rowCount: number | null }>): Promise<number | null> => (await query).rowCount;

const WAYS: readonly Way[] = [
  { as: 'another tenant', run: (service, attacker, text, values) => rowsOf(service.query(attacker, { text, values })) },
  { as: 'nobody', run: (service, _attacker, text, values) => rowsOf(service.pool.query(text, values)) },
  {
    as: 'a tenant without a name',
    run: (service, _attacker, text, values) => rowsOf(service.query('', { text, values })),
  },
  // Whoever had the connection before must leave nothing on it.
  {
    as: 'nobody, on the operator’s connection',
    run: async (service, _attacker, text, values) => {
      await inTransaction(service, EVERY_TENANT, (tx) => tx.query('SELECT 1'));
      return rowsOf(service.pool.query(text, values));
    },
  },
  {
    as: 'another tenant, after the operator',
    run: async (service, attacker, text, values) => {
      await service.query(EVERY_TENANT, { text: 'SELECT 1' }).catch(() => undefined);
      return rowsOf(service.query(attacker, { text, values }));
    },
  },
  // Row-level security switched off is an error for whoever it binds, not a way round it.
  {
    as: 'another tenant with row_security off',
    run: (service, attacker, text, values) =>
      inTransaction(service, attacker, async (tx) => {
        await tx.query('SET LOCAL row_security = off');
        return rowsOf(tx.query(text, values));
      }),
  },
];

/** Each table of the catalogue that holds tenants' rows × reading, changing, deleting and adding × ways to ask. */
export const rowLevelSecurity: Group<Needs> = {
  name: 'isolation',
  says: 'every table × read, change, delete, add × (another tenant, unset, raw SQL, a reused connection)',
  least: 200,
  async run({ owner, service, victim, attacker }, tally) {
    const before = await stateOf(owner, victim.tenantId);
    for (const table of await tenantTables(owner)) {
      const row = await aRowOf(owner, table, victim.tenantId);
      for (const way of WAYS) {
        const attempt = async (what: string, text: string, values: unknown[]): Promise<void> => {
          const came = await way
            .run(service, attacker.tenantId, text, values)
            .catch((error: { code?: string }) => error.code ?? 'an error without a code');
          tally.judge(`${what} ${table} as ${way.as}`, verdictOn(what, came));
        };
        await attempt('read', `SELECT * FROM ${table} WHERE tenant_id = $1`, [victim.tenantId]);
        await attempt(
          'read around in',
          `SELECT * FROM ${table} t WHERE (to_jsonb(t) ->> 'tenant_id') = $1 OR t.tenant_id LIKE 'ten\\_%' AND t.tenant_id <> $2`,
          [victim.tenantId, attacker.tenantId],
        );
        await attempt('change', `UPDATE ${table} SET tenant_id = tenant_id WHERE tenant_id = $1`, [victim.tenantId]);
        await attempt('take over', `UPDATE ${table} SET tenant_id = $2 WHERE tenant_id = $1`, [
          victim.tenantId,
          attacker.tenantId,
        ]);
        await attempt('delete', `DELETE FROM ${table} WHERE tenant_id = $1`, [victim.tenantId]);
        await attempt('add to', `INSERT INTO ${table} SELECT * FROM jsonb_populate_record(NULL::${table}, $1)`, [row]);
      }
    }
    await rawSql({ service, attacker }, tally);
    tally.judge('all of them together', difference(before, await stateOf(owner, victim.tenantId)));
  },
};

/** A row of the victim's to add again; where there is none, one that holds its id and nothing else. */
async function aRowOf(owner: Store, table: string, tenantId: string): Promise<string> {
  const { rows } = await owner.pool.query<{ row: string }>(
    `SELECT to_jsonb(t)::text AS row FROM ${table} t WHERE tenant_id = $1 LIMIT 1`,
    [tenantId],
  );
  return rows[0]?.row ?? JSON.stringify({ tenant_id: tenantId });
}

/** No rows, or 42501: not allowed. Any other error means that the statement got past the policies. */
function verdictOn(what: string, came: number | string | null): string | null {
  if (came === '42501') return null;
  if (typeof came === 'string') return `got as far as ${came}`;
  return what !== 'add to' && came === 0 ? null : `${what === 'add to' ? 'added' : 'reached'} ${came} rows`;
}

/** Statements that try to become somebody else from within a tenant's transaction; each must fail, or leave the transaction whose it was. */
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

async function rawSql({ service, attacker }: Pick<Needs, 'service' | 'attacker'>, tally: Tally): Promise<void> {
  for (const text of ESCAPES) {
    const seen = await inTransaction(service, attacker.tenantId, async (tx) => {
      await tx.query(text);
      // What it let us see, and nothing of it stays.
      const { rows } = await tx.query<{ n: number }>(
        'SELECT count(*)::int AS n FROM room WHERE tenant_id IS DISTINCT FROM $1',
        [attacker.tenantId],
      );
      throw new Seen(rows[0]?.n ?? 0);
    }).catch((error: unknown) => (error instanceof Seen ? error.rows : null));
    tally.judge(text, seen === null || seen === 0 ? null : `showed ${seen} rooms of others`);
  }
  // Ids that were made to end the statement that sets them.
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
    tally.judge(`a tenant called ${JSON.stringify(hostile)}`, seen === 0 ? null : `showed ${seen} rooms`);
  }
}

class Seen extends Error {
  readonly rows: number;
  constructor(rows: number) {
    super('seen');
    this.rows = rows;
  }
}
