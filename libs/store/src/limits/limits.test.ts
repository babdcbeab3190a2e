import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lockLimit, readLimits } from './limits.ts';
import { insertRoom } from '../rooms/rooms.ts';
import { inTransaction, openStore, type Store, type Tx } from '../database/store.ts';
import {
  freshId,
  freshIds,
  freshToken,
  lookupOf,
  makeLeg,
  makeNumbers,
  makeRoom,
  NUMBER,
  readLeg,
  setColumns,
  type TestRoom,
} from '../testing/fixtures.ts';
import { admitCaller, answerCaller } from '../callers/voice-webhooks.ts';

let database: TestDatabase;
let store: Store;

beforeAll(async () => {
  database = await createTestDatabase();
  // 200 transactions wait for few connections.
  store = openStore({ owner: true, url: database.url, statementTimeoutMs: 30_000, max: 20, onError: () => undefined });
  await makeNumbers(store);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

class LimitReachedError extends Error {}
const FAR = new Date('2099-01-01T00:00:00Z');

it('exactly 10 of 200 concurrent rooms are created at a limit of 10', async () => {
  const { tenantId, roomId } = await makeRoom(store);
  await setColumns(store, 'room', roomId, { state: 'ended' });
  await store.prisma.tenant.update({ where: { id: tenantId }, data: { max_live_rooms: 10 } });
  const make = (): Promise<void> =>
    inTransaction(store, tenantId, async (tx) => {
      await insertRoom(tx, tenantId, {
        room: {
          id: freshId('room'),
          name: 'Room',
          number: NUMBER,
          bridge: 'auto',
          max_participants: 10,
          max_duration_s: 3_600,
          never_used_s: null,
          browsers_left_s: null,
          phones_left_s: null,
          alone_s: null,
          empty_s: null,
        },
        session: { id: freshId('ses'), conversation: freshId('conv'), mediaSessionId: null, accountId: null },
        participant: { id: freshId('part'), name: 'Host' },
      });
      const { allowed, used } = await lockLimit(tx, tenantId, 'live-rooms');
      if (used > allowed) throw new LimitReachedError();
    });
  const made = await Promise.allSettled(Array.from({ length: 200 }, make));
  expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
  expect(made.every((each) => each.status === 'fulfilled' || each.reason instanceof LimitReachedError)).toBe(true);
  expect((await readLimits(store, tenantId))['live-rooms']).toEqual({ allowed: 10, used: 10 });
});

it('exactly 10 of 60 concurrent callers are admitted at a limit of 10, the others are hung up', async () => {
  const first = await makeRoom(store, { max_participants: 50 });
  const second = await makeRoom(store, { max_participants: 50, tenant_id: first.tenantId });
  const stranger = await makeRoom(store);
  await store.prisma.tenant.update({ where: { id: first.tenantId }, data: { max_live_legs: 10 } });
  const call = async (pin: string) => {
    const callId = freshId('call');
    const { leg_id: legId } = await answerCaller(
      store,
      freshToken(),
      { legId: freshId('leg'), callId, number: NUMBER, remote: `+4477009${callId.slice(-5).padStart(5, '0')}` },
      freshIds(),
    );
    return {
      legId: legId!,
      admit: () =>
        admitCaller(store, freshToken(), { legId: legId!, callId, tryNo: 1, lookups: [lookupOf(pin)] }, freshIds()),
    };
  };
  const calls = await Promise.all(Array.from({ length: 60 }, (_, i) => call(i % 2 === 0 ? first.pin : second.pin)));
  const admissions = await Promise.all(calls.map(({ admit }) => admit()));
  const outcomes = admissions.map(({ outcome }) => outcome);
  expect(outcomes.filter((outcome) => outcome === 'admitted')).toHaveLength(10);
  expect(outcomes.filter((outcome) => outcome === 'at-limit')).toHaveLength(50);
  const refused = calls[outcomes.indexOf('at-limit')];
  expect(await readLeg(store, refused?.legId ?? 'none')).toMatchObject({
    state: 'ending',
    hangup_reason: 'limit-live-legs',
    session_id: null,
    tenant_id: null,
  });
  // A duplicate webhook gets the same answer, and callers of another tenant are admitted.
  expect((await refused?.admit())?.outcome).toBe('at-limit');
  expect((await (await call(stranger.pin)).admit()).outcome).toBe('admitted');
});

it('readLimits counts connected legs of every kind but bridges, and outbound calls of the last minute', async () => {
  const room = await makeRoom(store);
  for (const kind of ['webrtc', 'inbound', 'outbound', 'bridge'] as const)
    for (const state of ['requested', 'joined', 'ending', 'ended'] as const)
      if (kind !== 'bridge' || state === 'joined') await makeLeg(store, room, { kind, state });
  await makeLeg(store, room, { kind: 'outbound', state: 'ended', created_at: new Date(Date.now() - 61_000) });
  expect(await readLimits(store, room.tenantId)).toEqual({
    'live-rooms': { allowed: 1_000, used: 1 },
    'live-legs': { allowed: 500, used: 9 },
    'dial-outs': { allowed: 60, used: 4 },
  });
});

it('readLimits uses the tenant limit, even 0, or else the platform limit', async () => {
  const { tenantId } = await makeRoom(store);
  await store.pool.query('UPDATE platform_limit SET max_live_legs = 7');
  expect((await readLimits(store, tenantId))['live-legs'].allowed).toBe(7);
  await store.prisma.tenant.update({ where: { id: tenantId }, data: { max_live_legs: 0 } });
  expect((await readLimits(store, tenantId))['live-legs'].allowed).toBe(0);
  await store.pool.query('UPDATE platform_limit SET max_live_legs = 500');
});

describe('lockLimit', () => {
  const add = (tx: Tx, { tenantId, sessionId }: TestRoom) =>
    tx.query(
      `INSERT INTO leg (id, tenant_id, session_id, kind, state, deadline_at)
       VALUES ($1, $2, $3, 'webrtc', 'joined', $4)`,
      [freshId('leg'), tenantId, sessionId, FAR],
    );
  const connections = async (): Promise<number> =>
    Number((await store.pool.query<{ max_connections: string }>('SHOW max_connections')).rows[0]?.max_connections);

  it('does not block far from the limit, and waits for all earlier transactions near it', async () => {
    const room = await makeRoom(store);
    const allowed = 2 * (await connections()) + 1;
    await store.prisma.tenant.update({ where: { id: room.tenantId }, data: { max_live_legs: allowed } });
    const order: string[] = [];
    let near: Promise<void> | undefined;
    await inTransaction(store, room.tenantId, async (first) => {
      await lockLimit(first, room.tenantId, 'live-legs');
      await inTransaction(store, room.tenantId, async (second) => {
        await add(second, room);
        expect((await lockLimit(second, room.tenantId, 'live-legs')).used).toBe(1);
        await add(second, room);
      });
      near = inTransaction(store, room.tenantId, async (third) => {
        order.push(`third finds ${(await lockLimit(third, room.tenantId, 'live-legs')).used}`);
      });
      await expect
        .poll(
          async () =>
            (await store.pool.query(`SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`)).rowCount,
        )
        .toBe(1);
      await add(first, room);
      order.push('first adds one');
    });
    await near;
    expect(order).toEqual(['first adds one', 'third finds 3']);
  });

  it('allows exactly the limit when concurrent transactions pass it', async () => {
    const room = await makeRoom(store);
    const allowed = 2 * (await connections()) + 20;
    await store.prisma.tenant.update({ where: { id: room.tenantId }, data: { max_live_legs: allowed } });
    const made = await Promise.allSettled(
      Array.from({ length: allowed + 50 }, () =>
        inTransaction(store, room.tenantId, async (tx) => {
          await add(tx, room);
          const { used } = await lockLimit(tx, room.tenantId, 'live-legs');
          if (used > allowed) throw new LimitReachedError();
        }),
      ),
    );
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(allowed);
    expect(made.every((each) => each.status === 'fulfilled' || each.reason instanceof LimitReachedError)).toBe(true);
  });
});

it('lockLimit near the limit blocks the same limit of the tenant until the transaction ends', async () => {
  const one = await makeRoom(store);
  await store.prisma.tenant.update({ where: { id: one.tenantId }, data: { max_live_legs: 10 } });
  const other = await makeRoom(store);
  const order: string[] = [];
  let waiting: Promise<void> | undefined;
  await inTransaction(store, one.tenantId, async (tx) => {
    await lockLimit(tx, one.tenantId, 'live-legs');
    waiting = inTransaction(store, one.tenantId, async (second) => {
      const { used } = await lockLimit(second, one.tenantId, 'live-legs');
      order.push(`second finds ${used}`);
    });
    await inTransaction(store, other.tenantId, (free) => lockLimit(free, other.tenantId, 'live-legs'));
    await inTransaction(store, one.tenantId, (free) => lockLimit(free, one.tenantId, 'dial-outs'));
    await tx.query(
      `INSERT INTO leg (id, tenant_id, session_id, kind, state, deadline_at)
       VALUES ($1, $2, $3, 'webrtc', 'joined', $4)`,
      [freshId('leg'), one.tenantId, one.sessionId, FAR],
    );
    order.push('first adds one');
  });
  await waiting;
  expect(order).toEqual(['first adds one', 'second finds 1']);
});
