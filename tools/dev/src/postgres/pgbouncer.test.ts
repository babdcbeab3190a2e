import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  EVERY_TENANT,
  inTransaction,
  openStore,
  readForTenant,
  type Scope,
  type Store,
} from '@partyline/store/database/store';
import { openWriteCheck } from '@partyline/store/database/check-writes';
import { acquireLease } from '@partyline/store/database/lease';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApps } from '../build.ts';
import { startStack, type Stack } from '../stack/stack.ts';
import { migrate } from './migrate.ts';
import { startPgBouncer, type PgBouncer } from './pgbouncer.ts';

let database: TestDatabase;
let pooler: PgBouncer;
let owner: Store;
let store: Store;

beforeAll(async () => {
  database = await createTestDatabase();
  pooler = await startPgBouncer({ users: [database.url] });
  owner = openStore({ owner: true, url: database.url, max: 2, onError: () => undefined });
  const number = '+442079460000';
  await owner.prisma.dial_in_number.create({ data: { e164: number } });
  for (const id of ['ten_a', 'ten_b']) {
    await owner.prisma.tenant.create({ data: { id, name: id } });
    await owner.prisma.room.create({
      data: { id: `room_${id}`, tenant_id: id, name: id, number, max_participants: 2, max_duration_s: 60 },
    });
  }
  store = openStore({
    url: pooler.through(database.url),
    max: 12,
    statementTimeoutMs: 1_000,
    onError: () => undefined,
  });
});
afterAll(async () => {
  await Promise.all([store.close(), owner.close()]);
  await pooler.stop();
  await database.drop();
});

const REPEAT = Array.from({ length: 120 }, (_, index) => index);
const SCOPES: readonly Scope[] = [EVERY_TENANT, 'ten_a', 'ten_b'];
const NAMES = REPEAT.map((index) => `lease_${index}`);

describe('through PgBouncer in transaction mode', () => {
  it('a store runs named statements on changing server connections', async () => {
    const acquired = await Promise.all(NAMES.map((name) => acquireLease(store, name, 60_000)));
    expect(new Set(acquired)).toEqual(new Set([true]));
    const again = await Promise.all(NAMES.map((name) => acquireLease(store, name, 60_000)));
    expect(new Set(again)).toEqual(new Set([false]));
    await openWriteCheck(store)();
  });

  it('each transaction has the role, the tenant and the timeouts of its own scope', async () => {
    const seen = await Promise.all(
      REPEAT.map(async (index) => {
        return inTransaction(store, SCOPES[index % 3]!, async (tx) => {
          const { rows } = await tx.query({
            name: 'see-scope',
            text: `SELECT current_user AS role, (SELECT count(*)::int FROM room) AS rooms,
                     current_setting('statement_timeout') AS timeout`,
          });
          return [index % 3, rows[0]] as const;
        });
      }),
    );
    for (const [kind, row] of seen)
      expect([kind, row]).toEqual([
        kind,
        kind === 0
          ? { role: 'partyline_platform', rooms: 2, timeout: '1s' }
          : { role: 'partyline_tenant', rooms: 1, timeout: '1s' },
      ]);
  });

  it('reads with Prisma and reads without a scope see what they may', async () => {
    // A few at a time: each waits for a connection for a limited time only.
    const readers = ['ten_a', 'ten_b', 'ten_a', 'ten_b'];
    for (const _round of REPEAT.slice(0, REPEAT.length / readers.length)) {
      const rooms = await Promise.all(
        readers.map((tenantId) => readForTenant(store, tenantId, (db) => db.room.findMany({ select: { id: true } }))),
      );
      expect(rooms).toEqual(readers.map((tenantId) => [{ id: `room_${tenantId}` }]));
    }
    expect((await store.pool.query('SELECT FROM room')).rowCount).toBe(0);
  });

  it('migrate names the direct address that it needs, and leaves no lock', async () => {
    const runs = await Promise.allSettled([1, 2].map(() => migrate(pooler.through(database.url))));
    for (const run of runs)
      expect(run).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('direct address') } });
    expect((await owner.pool.query(`SELECT FROM pg_locks WHERE locktype = 'advisory'`)).rowCount).toBe(0);
    expect(await migrate(database.url)).toEqual([]);
  });
});

describe('the four services through PgBouncer in transaction mode', () => {
  let stack: Stack;
  beforeAll(async () => {
    await buildApps({ log: () => undefined });
    stack = await startStack({ mode: 'unified', useOwnServers: true, pooled: true, log: () => undefined });
  });
  afterAll(() => stack.stop());

  const send = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const reply = await fetch(`${stack.urls['room-api']}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${stack.apiKey}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    expect([path, reply.ok]).toEqual([path, true]);
    return (await reply.json()) as T;
  };

  it('are ready, admit a caller by PIN, and confirm every hang-up of the ended room', async () => {
    const ready = await Promise.all(stack.instances.map(({ managementUrl }) => fetch(`${managementUrl}/readyz`)));
    expect(ready.map(({ status }) => status)).toEqual([200, 200, 200, 200]);

    const emulator = stack.emulator!;
    const { room, pin } = await send<{ room: { id: string; number: string }; pin: string }>('POST', '/rooms', {
      name: 'Pooled',
    });
    const { id } = await emulator.dial({ from: '+442079460123', to: room.number });
    await emulator.awaitPrompt(id);
    await emulator.key(id, `${pin}#`);
    await emulator.awaitJoined(id);
    await send('POST', `/rooms/${room.id}/end`);
    await emulator.awaitEnded(id);
    await expect
      .poll(async () => (await send<{ hangUps: { confirmedAt: string | null }[] }>('GET', '/hang-ups')).hangUps)
      .toEqual([expect.objectContaining({ confirmedAt: expect.any(String) })]);

    const readLog = (name: string): string => readFileSync(join(stack.logFolder, name), 'utf8');
    expect(readLog('pgbouncer.log').match(/login attempt/g)?.length).toBeGreaterThan(4);
    const logs = readdirSync(stack.logFolder).filter((name) => /api|webhooks|orchestrator|worker/.test(name));
    expect(logs).toHaveLength(4);
    for (const name of logs) expect(readLog(name)).not.toMatch(/"level":"?(50|error)|prepared statement/);
  });
});
