import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVERY_TENANT, inTransaction, openStore, readForTenant, type Store } from './store.ts';
import { makeLeg, makeNumbers, makeRoom, type TestRoom } from '../testing/fixtures.ts';

let database: TestDatabase;
/** One store as the owner, for the catalog and the initial rows, one as the services connect. */
let owner: Store;
let service: Store;
let mine: TestRoom;
let other: TestRoom;
beforeAll(async () => {
  database = await createTestDatabase();
  owner = openStore({ owner: true, url: database.url, onError: () => undefined });
  // One connection, so that a test would see state that the previous one left on it.
  service = openStore({ url: database.url, max: 1, onError: () => undefined });
  await makeNumbers(owner);
  [mine, other] = [await makeRoom(owner), await makeRoom(owner)];
  for (const room of [mine, other]) await makeLeg(owner, room, { kind: 'inbound', state: 'joined' });
});
afterAll(async () => {
  await service.close();
  await owner.close();
  await database.drop();
});

interface Table {
  name: string;
  enabled: boolean;
  forced: boolean;
  owner: string;
  policies: string[];
}

/** A row of pg_policies. */
interface Policy {
  name: string;
  policy: string;
  permissive: string;
  roles: string[];
  cmd: string;
  qual: string | null;
  with_check: string | null;
}

/**
 * All tables with tenants' rows: `tenant` and those with a tenant_id. From the catalog, so that new
 * tables are included.
 */
const TABLES_OF_TENANTS = `
  SELECT c.relname AS name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
    pg_get_userbyid(c.relowner) AS owner,
    ARRAY(SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid ORDER BY 1) AS policies
  FROM pg_class c
  WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
    AND (
      c.relname = 'tenant'
      OR EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
      )
    )
  ORDER BY 1`;
const tablesOfTenants = async (): Promise<Table[]> => (await owner.pool.query<Table>(TABLES_OF_TENANTS)).rows;
const count = async (scope: string | typeof EVERY_TENANT, table: string): Promise<number | undefined> =>
  (await service.query<{ n: number }>(scope, { text: `SELECT count(*)::int AS n FROM ${table}` })).rows[0]?.n;

describe('the database catalog', () => {
  it('forces row-level security with both policies on every table of tenants', async () => {
    const tables = await tablesOfTenants();
    expect(tables.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'tenant',
        'api_key',
        'room',
        'pin',
        'session',
        'participant',
        'leg',
        'outbox',
        'observation',
        'hang_up_attempt',
      ]),
    );
    for (const table of tables)
      expect(table).toMatchObject({ enabled: true, forced: true, policies: ['every_row', 'tenant_rows'] });
  });

  it('has exactly the expected policies', async () => {
    const OWN = '(tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))';
    const throughLeg = `(${OWN} OR ((tenant_id IS NULL) AND (leg_id IN ( SELECT l.id\n   FROM leg l))))`;
    const SPECIAL: Readonly<Record<string, Partial<Policy>>> = {
      tenant: { cmd: 'SELECT', qual: OWN.replace('tenant_id', 'id'), with_check: null },
      hang_up_attempt: { qual: throughLeg },
      observation: { qual: throughLeg },
      // A tenant reads operators' entries about it, but cannot write such entries.
      audit_entry: {
        qual: `(${OWN} OR (about @> ARRAY[( SELECT tenant_in_context() AS tenant_in_context)]))`,
        with_check: `(${OWN} AND (about = '{}'::text[]))`,
      },
    };
    const { rows } = await owner.pool.query<Policy>(
      `SELECT p.tablename::text AS name, p.policyname::text AS policy, p.permissive, p.roles::text[] AS roles, p.cmd,
         p.qual, p.with_check
       FROM pg_policies p
       WHERE p.schemaname = 'public' AND p.tablename = ANY($1)
       ORDER BY 1, 2`,
      [(await tablesOfTenants()).map(({ name }) => name)],
    );
    for (const row of rows) {
      const { name, policy } = row;
      const common = { name, policy, permissive: 'PERMISSIVE' };
      expect(row).toEqual(
        policy === 'every_row'
          ? { ...common, roles: ['partyline_platform'], cmd: 'ALL', qual: 'true', with_check: 'true' }
          : { ...common, roles: ['partyline_tenant'], cmd: 'ALL', qual: OWN, with_check: OWN, ...SPECIAL[name] },
      );
    }
  });

  it('shows a table without policies', async () => {
    await owner.pool.query('CREATE TABLE unprotected (tenant_id text)');
    try {
      expect((await tablesOfTenants()).find(({ name }) => name === 'unprotected')).toMatchObject({
        enabled: false,
        forced: false,
        policies: [],
      });
    } finally {
      await owner.pool.query('DROP TABLE unprotected');
    }
  });

  it('gives the roles of the services no table and no way around row-level security', async () => {
    const { rows } = await owner.pool.query(
      `SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcanlogin
       FROM pg_roles
       WHERE rolname IN ('partyline_tenant', 'partyline_platform')
       ORDER BY 1`,
    );
    expect(rows).toEqual(
      ['partyline_platform', 'partyline_tenant'].map((rolname) => ({
        rolname,
        rolsuper: false,
        rolbypassrls: false,
        rolcreaterole: false,
        rolcanlogin: false,
      })),
    );
    const owned = await owner.pool.query(
      `SELECT relname
       FROM pg_class
       WHERE pg_get_userbyid(relowner) IN ('partyline_tenant', 'partyline_platform')`,
    );
    expect(owned.rows).toEqual([]);
  });

  it('lets the tenant role run only the listed SECURITY DEFINER functions', async () => {
    const { rows } = await owner.pool.query<{ name: string }>(
      `SELECT p.proname AS name
       FROM pg_proc p
       WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef
         AND has_function_privilege('partyline_tenant', p.oid, 'EXECUTE')
       ORDER BY 1`,
    );
    expect(rows.map(({ name }) => name)).toEqual([
      'admit_caller',
      'answer_caller',
      'answer_own_leg',
      'count_pins',
      'lock_number',
      'queue_dial',
      'reserve_pin',
    ]);
  });
});

describe('every table of tenants', () => {
  it('shows no rows without a scope, after any use of the connection', async () => {
    for (const { name } of await tablesOfTenants()) {
      await service.query(mine.tenantId, { text: 'SELECT 1' });
      await service.query(EVERY_TENANT, { text: 'SELECT 1' });
      expect([name, (await service.pool.query(`SELECT * FROM ${name}`)).rows]).toEqual([name, []]);
      expect([name, await count('', name)]).toEqual([name, 0]);
      expect([name, await count('ten_none', name)]).toEqual([name, 0]);
    }
  });

  it('shows a tenant its own rows only', async () => {
    for (const { name } of await tablesOfTenants()) {
      const whose = name === 'tenant' ? 'id' : 'tenant_id';
      expect([name, await count(mine.tenantId, `${name} WHERE ${whose} IS DISTINCT FROM '${mine.tenantId}'`)]).toEqual([
        name,
        0,
      ]);
    }
    for (const name of ['tenant', 'room', 'session', 'pin', 'participant', 'leg'])
      expect([name, await count(mine.tenantId, name)]).toEqual([name, 1]);
    expect(await count(EVERY_TENANT, 'room')).toBe(2);
    expect(await readForTenant(service, mine.tenantId, (db) => db.room.findMany({ select: { id: true } }))).toEqual([
      { id: mine.roomId },
    ]);
    expect(await service.prisma.room.findMany()).toEqual([]);
  });

  it('lets a tenant update, insert and delete no rows of other tenants', async () => {
    const { rows: before } = await owner.pool.query('SELECT * FROM leg ORDER BY id');
    for (const { name } of await tablesOfTenants()) {
      const whose = name === 'tenant' ? 'id' : 'tenant_id';
      for (const text of [
        `UPDATE ${name} SET ${whose} = ${whose} WHERE ${whose} = '${other.tenantId}'`,
        `DELETE FROM ${name} WHERE ${whose} = '${other.tenantId}'`,
      ]) {
        const changed = await service.query(mine.tenantId, { text }).then(
          ({ rowCount }) => rowCount,
          (error: { code: string }) => error.code,
        );
        // On these tables a tenant has no write privilege at all.
        expect([text, changed]).toEqual([text, ['tenant', 'audit_entry'].includes(name) ? '42501' : 0]);
      }
      // A tenant can neither insert a row for another tenant nor give one away.
      if (name === 'tenant') continue;
      await expect(
        service.query(mine.tenantId, { text: `INSERT INTO ${name} (tenant_id) VALUES ('${other.tenantId}')` }),
      ).rejects.toMatchObject({ code: expect.stringMatching(/^(42501|23502)$/) });
    }
    await expect(
      service.query(mine.tenantId, { text: `UPDATE room SET tenant_id = '${other.tenantId}'` }),
    ).rejects.toMatchObject({ code: '42501' });
    expect((await owner.pool.query('SELECT * FROM leg ORDER BY id')).rows).toEqual(before);
  });

  it('shows a tenant the shared numbers and its own, without write access', async () => {
    await owner.prisma.dial_in_number.createMany({
      data: [
        { e164: '+13125550001', dedicated_to: mine.tenantId },
        { e164: '+13125550002', dedicated_to: other.tenantId },
      ],
    });
    const visible = await service.query<{ e164: string }>(mine.tenantId, {
      text: 'SELECT e164 FROM dial_in_number WHERE dedicated_to IS NOT NULL',
    });
    expect(visible.rows).toEqual([{ e164: '+13125550001' }]);
    expect(await count(mine.tenantId, 'dial_in_number WHERE dedicated_to IS NULL')).toBeGreaterThan(0);
    for (const text of [
      'UPDATE dial_in_number SET dedicated_to = NULL',
      'DELETE FROM dial_in_number',
      `INSERT INTO dial_in_number (e164) VALUES ('+13125550003')`,
    ]) {
      await expect(service.query(mine.tenantId, { text })).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('resists a tenant id with an SQL injection', async () => {
    const hostile = `x'; SET LOCAL ROLE partyline_platform; --`;
    expect(await count(hostile, 'room')).toBe(0);
    await expect(
      inTransaction(service, mine.tenantId, (tx) => tx.query('TRUNCATE room CASCADE')),
    ).rejects.toMatchObject({ code: '42501' });
  });
});
