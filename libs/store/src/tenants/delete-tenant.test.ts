import { PLATFORM_SIP } from '@partyline/domain/platform-account';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openAuditEntry } from '../audit/audit.ts';
import { deleteTenant, RETAINED_TABLES } from './delete-tenant.ts';
import { openStore, type Store } from '../database/store.ts';
import { resumeTenant, suspendTenant } from './tenants.ts';
import {
  freshId,
  makeAccount,
  makeLeg,
  makeNumbers,
  makeRoom,
  setColumns,
  type TestRoom,
} from '../testing/fixtures.ts';

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  await makeNumbers(store);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

/** Creates a tenant with rows in all tables, and `sessions` sessions with an ended leg each. */
async function makeTenant(sessions: number): Promise<TestRoom> {
  const room = await makeRoom(store);
  for (let i = 0; i < sessions; i++) {
    const { sessionId } = i === 0 ? room : await makeRoom(store, { tenant_id: room.tenantId });
    const leg = await makeLeg(store, { ...room, sessionId }, { kind: 'inbound', state: 'ended' });
    await store.prisma.hang_up_attempt.create({
      data: { leg_id: leg, no: 1, tenant_id: room.tenantId, at: new Date() },
    });
    // An observation from before the caller's admission has no tenant.
    await store.prisma.observation.create({
      data: { leg_id: leg, tenant_id: null, handle: 'voice', phase: 'over', source: 'callback' },
    });
    await store.pool.query(
      `INSERT INTO outbox (tenant_id, room_id, session_id, seq, type, data)
       VALUES ($1, $2, $3, 1, 'session.live', '{}')`,
      [room.tenantId, room.roomId, sessionId],
    );
  }
  await store.pool.query(
    `INSERT INTO cdr (
       id, tenant_id, room_id, session_id, leg_id, handle, direction, ended_at, seconds, source, currency,
       estimate_micro
     )
     VALUES ($1, $2, $3, $4, 'leg_x' || $1, 'voice', 'inbound', now(), 60, 'callback', 'EUR', 0)`,
    [freshId('cdr'), room.tenantId, room.roomId, room.sessionId],
  );
  await store.prisma.api_key.create({
    data: {
      id: freshId('key').replace('_', ''),
      tenant_id: room.tenantId,
      label: 'Key',
      secret_hash: new Uint8Array(32),
      scopes: ['admin'],
    },
  });
  await openAuditEntry(store, room.tenantId, {
    id: freshId('aud'),
    actor: { kind: 'key', id: 'k' },
    operation: 'createRoom',
    targets: {},
    about: [],
    requestId: 'req_1',
    source: '127.0.0.1',
  });
  return room;
}

/**
 * Counts the rows with a tenant's id by table, from the catalog. Omits tables without such rows.
 */
async function rowsOf(tenantId: string): Promise<Record<string, number>> {
  const { rows } = await store.pool.query<{ name: string }>(
    `SELECT c.relname AS name
     FROM pg_class c
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
     WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace`,
  );
  const counts: Record<string, number> = {};
  for (const { name } of rows) {
    const { rows: counted } = await store.pool.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM ${name} WHERE tenant_id = $1`,
      [tenantId],
    );
    const n = counted[0]?.n ?? 0;
    if (n > 0) counts[name] = n;
  }
  return counts;
}

it('deleteTenant deletes all rows of a tenant except in the retained tables, and none of another tenant', async () => {
  const [mine, theirs] = [await makeTenant(2), await makeTenant(2)];
  const before = await rowsOf(theirs.tenantId);
  expect(Object.keys(before)).toEqual(
    expect.arrayContaining([
      'api_key',
      'audit_entry',
      'hang_up_attempt',
      'leg',
      'outbox',
      'participant',
      'pin',
      'room',
      'session',
    ]),
  );
  await suspendTenant(store, mine.tenantId);
  expect(await deleteTenant(store, mine.tenantId)).toBe('deleted');
  expect(await rowsOf(mine.tenantId)).toEqual({ audit_entry: 1, cdr: 1 });
  expect(RETAINED_TABLES).toEqual(['audit_entry', 'cdr']);
  expect(await rowsOf(theirs.tenantId)).toEqual(before);
  // Observations without a tenant were deleted with their legs.
  expect(await store.prisma.observation.count()).toBe(2);
  expect(await deleteTenant(store, mine.tenantId)).toBe('no-tenant');
});

it('deleteTenant deletes a tenant with many rows in batches', async () => {
  const { tenantId, roomId, sessionId } = await makeTenant(1);
  const many = 4_500;
  for (const text of [
    `INSERT INTO endpoint (id, tenant_id, url, secret) VALUES ('ep_many', $1, 'https://example.com', '')`,
    `INSERT INTO outbox (tenant_id, room_id, session_id, seq, type, data)
     SELECT $1, '${roomId}', '${sessionId}', 1 + n, 'leg.joined', '{}' FROM generate_series(1, ${many}) AS n`,
    `INSERT INTO delivery (id, tenant_id, endpoint_id, event_id, stream, seq)
     SELECT 'dlv_' || n, $1, 'ep_many', n, 's', n FROM generate_series(1, ${many}) AS n`,
    `INSERT INTO delivery_attempt (delivery_id, no, tenant_id, at)
     SELECT 'dlv_' || n, 1, $1, now() FROM generate_series(1, ${many}) AS n`,
    `INSERT INTO idempotency_key (id, tenant_id, key, fingerprint, seed)
     SELECT 'idem_' || n, $1, 'k' || n, '', '' FROM generate_series(1, ${many}) AS n`,
    `INSERT INTO idempotency_step (key_id, step, tenant_id, result)
     SELECT 'idem_' || n, '1', $1, '' FROM generate_series(1, ${many}) AS n`,
    `INSERT INTO participant (id, tenant_id, room_id, kind, name)
     SELECT 'part_many_' || n, $1, '${roomId}', 'dialled', 'Dialled' FROM generate_series(1, ${many}) AS n`,
  ]) {
    await store.pool.query(text, [tenantId]);
  }
  await suspendTenant(store, tenantId);
  expect(await deleteTenant(store, tenantId)).toBe('deleted');
  expect(await rowsOf(tenantId)).toEqual({ audit_entry: 1, cdr: 1 });
});

it('deleteTenant rejects a tenant that is not suspended or has a live leg', async () => {
  const room = await makeTenant(1);
  const before = await rowsOf(room.tenantId);
  expect(await deleteTenant(store, room.tenantId)).toBe('not-suspended');
  const leg = await makeLeg(store, room, { kind: 'bridge', state: 'ending' });
  await suspendTenant(store, room.tenantId);
  expect(await deleteTenant(store, room.tenantId)).toBe('legs-up');
  expect(await rowsOf(room.tenantId)).toEqual({ ...before, leg: 2 });
  await setColumns(store, 'leg', leg, { state: 'ended' });
  expect(await deleteTenant(store, room.tenantId)).toBe('deleted');
});

const HOUR_MS = 3_600_000;
const hoursAgo = (hours: number): Date => new Date(Date.now() - hours * HOUR_MS);

it.each([true, false])(
  "deleteTenant rejects a leg at the tenant's own account for a day after the hang-up request; in a session: %s",
  async (isInSession) => {
    const { tenantId, accountId, number } = await makeAccount(store);
    const room = await makeRoom(store, { tenant_id: tenantId, number });
    const leg = await makeLeg(store, room, { kind: 'inbound', state: 'ending', account_id: accountId });
    await setColumns(store, 'leg', leg, { session_id: isInSession ? room.sessionId : null });
    await store.prisma.dial_in_number.deleteMany({ where: { dedicated_to: tenantId } });
    await suspendTenant(store, tenantId);
    for (const requestedAt of [null, hoursAgo(23)]) {
      await setColumns(store, 'leg', leg, { hangup_requested_at: requestedAt });
      expect(await deleteTenant(store, tenantId)).toBe('legs-up');
    }
    await setColumns(store, 'leg', leg, { hangup_requested_at: hoursAgo(25) });
    expect(await deleteTenant(store, tenantId)).toBe('deleted');
    expect(await rowsOf(tenantId)).toEqual({});
  },
);

it.each([null, PLATFORM_SIP])(
  'deleteTenant always rejects a leg at the account %s of the platform',
  async (account_id) => {
    const room = await makeTenant(1);
    const leg = await makeLeg(store, room, {
      kind: 'inbound',
      state: 'ending',
      account_id,
      hangup_requested_at: hoursAgo(480),
    });
    await suspendTenant(store, room.tenantId);
    expect(await deleteTenant(store, room.tenantId)).toBe('legs-up');
    await setColumns(store, 'leg', leg, { state: 'ended' });
    expect(await deleteTenant(store, room.tenantId)).toBe('deleted');
  },
);

it('deleteTenant rejects a tenant with a dedicated number, and a constraint protects the number', async () => {
  const room = await makeTenant(1);
  await store.prisma.dial_in_number.create({ data: { e164: '+13125550042', dedicated_to: room.tenantId } });
  await suspendTenant(store, room.tenantId);
  const before = await rowsOf(room.tenantId);
  expect(await deleteTenant(store, room.tenantId)).toBe('has-numbers');
  expect(await rowsOf(room.tenantId)).toEqual(before);
  await expect(store.pool.query('DELETE FROM tenant WHERE id = $1', [room.tenantId])).rejects.toMatchObject({
    code: expect.stringMatching(/^(23001|23503)$/) as string,
  });
  await store.prisma.dial_in_number.update({ where: { e164: '+13125550042' }, data: { dedicated_to: null } });
  expect(await deleteTenant(store, room.tenantId)).toBe('deleted');
});

it('deleteTenant continues after a crash, and stops when the tenant was resumed meanwhile', async () => {
  const room = await makeTenant(1);
  // More sessions than one transaction deletes.
  await store.pool.query(
    `INSERT INTO session (id, tenant_id, room_id, state, conversation, due_at, due_reason)
     SELECT 'many_' || n, $1, $2, 'ended', 'many_' || n, now(), 'empty' FROM generate_series(1, 450) AS n`,
    [room.tenantId, room.roomId],
  );
  await suspendTenant(store, room.tenantId);
  let transactions = 0;
  const dies: Store = {
    ...store,
    pool: new Proxy(store.pool, {
      get: (pool, name) =>
        name === 'connect'
          ? () => ((transactions += 1) > 2 ? Promise.reject(new Error('died')) : pool.connect())
          : (Reflect.get(pool, name) as unknown),
    }),
  };
  await expect(deleteTenant(dies, room.tenantId)).rejects.toThrow('died');
  const left = (await rowsOf(room.tenantId))['session'] ?? 0;
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThan(451);
  await resumeTenant(store, room.tenantId);
  expect(await deleteTenant(store, room.tenantId)).toBe('not-suspended');
  await suspendTenant(store, room.tenantId);
  expect(await deleteTenant(store, room.tenantId)).toBe('deleted');
  expect(await rowsOf(room.tenantId)).toEqual({ audit_entry: 1, cdr: 1 });
});
