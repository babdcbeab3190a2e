import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { appendEvents } from '../events/append-events.ts';
import { insertLeg, lockLeg, saveLegs } from '../legs/legs.ts';
import { StaleVersionError } from './stale-version.ts';
import { consumeToken } from '../callers/webhook-tokens.ts';
import { closeRoom, lockRoom } from '../rooms/rooms.ts';
import { lockSession, saveSession } from '../sessions/session-lock.ts';
import { EVERY_TENANT, inTransaction, openStore, type Store, type Tx } from './store.ts';
import {
  NUMBER,
  freshId,
  freshIds,
  freshToken,
  lookupOf,
  makeLeg,
  makeNumbers,
  makeRoom,
  readLeg,
  readSession,
  setColumns,
} from '../testing/fixtures.ts';
import { admitCaller, answerCaller, type Admission } from '../callers/voice-webhooks.ts';

let database: TestDatabase;
let store: Store;

beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, max: 24, onError: () => undefined });
  await makeNumbers(store);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

async function answerCall(): Promise<{ legId: string; callId: string }> {
  const call = { legId: freshId('leg'), callId: freshId('call') };
  await answerCaller(store, freshToken(), { ...call, number: NUMBER, remote: null }, freshIds());
  return call;
}

const keyPin = (call: { legId: string; callId: string }, tryNo: number, pin: string): Promise<Admission> =>
  admitCaller(store, freshToken(), { ...call, tryNo, lookups: [lookupOf(pin)] }, freshIds());

const runConcurrently = <T>(n: number, work: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: n }, (_, i) => work(i)));

/** A promise with a function that resolves it. */
function signal(): { resolved: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const resolved = new Promise<void>((done) => (resolve = done));
  return { resolved, resolve };
}

/** Resolves when another connection of this database waits for a lock. */
async function waitForBlockedQuery(): Promise<void> {
  await expect
    .poll(
      async () =>
        (
          await store.pool.query(
            `SELECT 1
             FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'`,
          )
        ).rowCount,
      { timeout: 20_000, interval: 5 },
    )
    .toBeGreaterThan(0);
}

describe('concurrent requests', () => {
  it('count ten copies of the same digits as one attempt with one answer', async () => {
    const call = await answerCall();
    const answers = await runConcurrently(10, () => keyPin(call, 1, '111222'));
    expect(new Set(answers.map((each) => `${each.outcome} ${each.prompts}`))).toEqual(new Set(['wrong-pin 1']));
    expect((await readLeg(store, call.legId)).tries).toBe(1);
  });

  it('create one leg for ten copies of an answer webhook', async () => {
    const callId = freshId('call');
    const answers = await runConcurrently(10, () =>
      answerCaller(store, freshToken(), { legId: freshId('leg'), callId, number: NUMBER, remote: null }, freshIds()),
    );
    expect(new Set(answers.map((each) => each.leg_id)).size).toBe(1);
    expect(await store.prisma.leg.count({ where: { voice_call_id: callId } })).toBe(1);
  });

  it('consume a token once', async () => {
    const token = freshToken();
    expect(
      (await runConcurrently(10, () => inTransaction(store, EVERY_TENANT, (tx) => consumeToken(tx, token)))).filter(
        Boolean,
      ),
    ).toHaveLength(1);
  });

  it('open one new session for eight callers', async () => {
    const room = await makeRoom(store);
    await setColumns(store, 'session', room.sessionId, { state: 'ended' });
    const calls = await runConcurrently(8, answerCall);
    const admitted = await runConcurrently(8, (i) => keyPin(calls[i] ?? { legId: '', callId: '' }, 1, room.pin));
    expect(admitted.map((each) => each.outcome)).toEqual(Array.from({ length: 8 }, () => 'admitted'));
    expect(new Set(admitted.map((each) => 'session_id' in each && each.session_id)).size).toBe(1);
    expect(await store.prisma.session.count({ where: { room_id: room.roomId } })).toBe(2);
  });

  it('admit three of ten callers to a room for three', async () => {
    const room = await makeRoom(store, { max_participants: 3 });
    const calls = await runConcurrently(10, answerCall);
    const outcomes = (await runConcurrently(10, (i) => keyPin(calls[i] ?? { legId: '', callId: '' }, 1, room.pin))).map(
      (each) => each.outcome,
    );
    expect(outcomes.filter((outcome) => outcome === 'admitted')).toHaveLength(3);
    expect(outcomes.filter((outcome) => outcome === 'full')).toHaveLength(7);
  });

  it('create one bridge leg', async () => {
    const room = await makeRoom(store);
    const made = await Promise.allSettled(
      Array.from({ length: 10 }, () => makeLeg(store, room, { kind: 'bridge', state: 'dialling' })),
    );
    expect(made.filter((each) => each.status === 'fulfilled')).toHaveLength(1);
    for (const each of made)
      if (each.status === 'rejected')
        expect(each.reason).toMatchObject({ code: '23505', constraint: 'leg_one_bridge' });
    // After it has ended, another one can be created.
    await store.prisma.leg.updateMany({ where: { session_id: room.sessionId }, data: { state: 'ended' } });
    await expect(makeLeg(store, room, { kind: 'bridge', state: 'dialling' })).resolves.toMatch(/^leg_/);
  });

  it('number the events of a session without a gap', async () => {
    const room = await makeRoom(store);
    await runConcurrently(20, (i) =>
      inTransaction(store, EVERY_TENANT, async (tx) => {
        const view = await lockSession(tx, room.tenantId, room.sessionId);
        if (view === null) throw new Error('no session');
        const events = Array.from({ length: (i % 3) + 1 }, () => ({ type: 'leg.joined', data: { i } }));
        await appendEvents(
          tx,
          room.tenantId,
          { roomId: room.roomId, sessionId: room.sessionId, firstSeq: view.session.last_seq + 1 },
          events,
        );
        view.session.last_seq += events.length;
        await saveSession(tx, room.tenantId, view.session);
      }),
    );
    const rows = await store.prisma.outbox.findMany({ where: { session_id: room.sessionId }, orderBy: { seq: 'asc' } });
    expect(rows.map((row) => row.seq)).toEqual(Array.from({ length: 39 }, (_, i) => i + 1));
    expect((await readSession(store, room.sessionId)).last_seq).toBe(39);
  });

  it('do not wait for ended legs of a locked session, except the selected ones', async () => {
    const room = await makeRoom(store);
    const [up, over, named, connected] = [
      await makeLeg(store, room, { kind: 'inbound', state: 'answered' }),
      await makeLeg(store, room, { kind: 'inbound', state: 'ended' }),
      await makeLeg(store, room, { kind: 'outbound', state: 'ended' }),
      await makeLeg(store, room, { kind: 'webrtc', state: 'ended', media_connection_id: freshId('con') }),
    ];
    const { media_connection_id: connectionId } = await readLeg(store, connected);
    const isFree = async (id: string): Promise<boolean> =>
      (await store.pool.query('SELECT FROM leg WHERE id = $1 FOR UPDATE SKIP LOCKED', [id])).rowCount === 1;
    await inTransaction(store, EVERY_TENANT, async (tx) => {
      const view = await lockSession(tx, room.tenantId, room.sessionId, { legId: named, connectionId: connectionId! });
      expect(view!.legs.map(({ id }) => id).toSorted()).toEqual([up, named, connected].toSorted());
      for (const id of [up, named, connected]) expect(await isFree(id)).toBe(false);
      expect(await isFree(over)).toBe(true);
    });
    // The selected legs of another session are not included.
    const other = await makeRoom(store);
    expect(
      (await inTransaction(store, EVERY_TENANT, (tx) =>
        lockSession(tx, other.tenantId, other.sessionId, { legId: named, connectionId: connectionId! }),
      ))!.legs,
    ).toEqual([]);
  });

  it('open no session for a caller who waited for the session while the room ended', async () => {
    const room = await makeRoom(store);
    const call = await answerCall();
    const admission = await inTransaction(store, EVERY_TENANT, async (tx) => {
      const view = await lockSession(tx, room.tenantId, room.sessionId);
      if (view === null) throw new Error('no session');
      const keyed = keyPin(call, 1, room.pin);
      await waitForBlockedQuery();
      await inTransaction(store, EVERY_TENANT, async (other) => {
        await lockRoom(other, room.tenantId, room.roomId);
        await closeRoom(other, room.tenantId, room.roomId, 'ended-by-tenant', 60);
      });
      view.session.state = 'ended';
      await saveSession(tx, room.tenantId, view.session);
      return { keyed };
    });
    expect((await admission.keyed).outcome).toBe('wrong-pin');
    expect(await store.prisma.session.count({ where: { room_id: room.roomId } })).toBe(1);
  });
});

describe('saveSession and saveLegs', () => {
  const expectStale = async (work: (tx: Tx) => Promise<void>): Promise<void> => {
    await expect(inTransaction(store, EVERY_TENANT, work)).rejects.toBeInstanceOf(StaleVersionError);
  };

  it('reject a session and a leg of another tenant', async () => {
    const [room, other] = [await makeRoom(store), await makeRoom(store)];
    const legId = await makeLeg(store, room, { kind: 'inbound', state: 'answered' });
    expect(await inTransaction(store, EVERY_TENANT, (tx) => lockLeg(tx, other.tenantId, legId))).toBeNull();
    expect(await inTransaction(store, EVERY_TENANT, (tx) => lockLeg(tx, null, legId))).toBeNull();
    await expectStale(async (tx) => {
      const view = await lockSession(tx, room.tenantId, room.sessionId);
      await saveSession(tx, other.tenantId, view!.session);
    });
    for (const tenantId of [other.tenantId, null]) {
      await expectStale(async (tx) => {
        const locked = await lockLeg(tx, room.tenantId, legId);
        await saveLegs(tx, tenantId, [locked!.leg]);
      });
    }
  });

  it('reject a session and a leg that changed since they were read', async () => {
    const room = await makeRoom(store);
    const legId = await makeLeg(store, room, { kind: 'inbound', state: 'answered' });
    await expectStale(async (tx) => {
      const view = await lockSession(tx, room.tenantId, room.sessionId);
      if (view === null) throw new Error('no session');
      await saveSession(tx, room.tenantId, { ...view.session });
      await saveSession(tx, room.tenantId, view.session);
    });
    await expectStale(async (tx) => {
      const locked = await lockLeg(tx, room.tenantId, legId);
      if (locked === null) throw new Error('no leg');
      await saveLegs(tx, room.tenantId, [{ ...locked.leg }]);
      await saveLegs(tx, room.tenantId, [locked.leg]);
    });
    // Both transactions were rolled back.
    expect((await readSession(store, room.sessionId)).version).toBe(0);
    expect((await readLeg(store, legId)).version).toBe(0);
  });

  it('write many legs in one statement, and none when one of them is stale', async () => {
    const room = await makeRoom(store);
    for (const kind of ['inbound', 'outbound', 'webrtc'] as const)
      await makeLeg(store, room, { kind, state: 'answered' });
    const at = new Date('2026-05-04T09:30:00.123Z');
    const change = (early: boolean) =>
      inTransaction(store, EVERY_TENANT, async (tx) => {
        const { legs } = (await lockSession(tx, room.tenantId, room.sessionId))!;
        for (const [i, leg] of legs.entries())
          Object.assign(leg, {
            state: 'ending',
            muted: true,
            hangup_requested_at: at,
            hangup_reason: 'It\u2019s "over", \\ {x}',
            hangup_attempts: 3,
            answered_at: null,
            voice_call_id: null,
            version: leg.version + (early && i === 1 ? 1 : 0),
          });
        await saveLegs(tx, room.tenantId, legs);
        return legs;
      });
    await expect(change(true)).rejects.toBeInstanceOf(StaleVersionError);
    expect(await store.prisma.leg.count({ where: { session_id: room.sessionId, version: 0, state: 'answered' } })).toBe(
      3,
    );
    const written = await change(false);
    expect(
      await store.prisma.leg.findMany({
        where: { session_id: room.sessionId },
        orderBy: [{ created_at: 'asc' }, { id: 'asc' }],
      }),
    ).toEqual(written);
    expect(written.map(({ version }) => version)).toEqual([1, 1, 1]);
  });

  it('can be repeated with the same object', async () => {
    const room = await makeRoom(store);
    await inTransaction(store, EVERY_TENANT, async (tx) => {
      const view = await lockSession(tx, room.tenantId, room.sessionId);
      if (view === null) throw new Error('no session');
      await saveSession(tx, room.tenantId, view.session);
      await saveSession(tx, room.tenantId, view.session);
    });
    expect((await readSession(store, room.sessionId)).version).toBe(2);
  });
});

describe('inTransaction', () => {
  it('rolls back when its work throws', async () => {
    const room = await makeRoom(store);
    const work = inTransaction(store, EVERY_TENANT, async (tx) => {
      await insertLeg(
        tx,
        room.tenantId,
        { id: room.sessionId, account_id: null },
        { id: 'leg_never', kind: 'webrtc', state: 'requested', deadline_at: new Date('2099-01-01') },
      );
      throw new Error('rolled back by the test');
    });
    await expect(work).rejects.toThrow('rolled back by the test');
    expect(await store.prisma.leg.findUnique({ where: { id: 'leg_never' } })).toBeNull();
  });

  it('retries after a deadlock until both transactions commit', async () => {
    const rooms = [await makeRoom(store), await makeRoom(store)] as const;
    const locked = [signal(), signal()] as const;
    const lock = (tx: Tx, { tenantId, sessionId }: { tenantId: string; sessionId: string }) =>
      lockSession(tx, tenantId, sessionId);
    let runs = 0;
    /**
     * The first run waits until the other transaction has its first lock too, so that they
     * deadlock.
     */
    const lockBoth = (first: 0 | 1, second: 0 | 1): Promise<void> => {
      let isRepeated = false;
      return inTransaction(store, EVERY_TENANT, async (tx) => {
        runs += 1;
        // Without this lock, no second deadlock is possible: on a busy machine it could overtake
        // the other one.
        if (!isRepeated) await lock(tx, rooms[first]);
        isRepeated = true;
        locked[first].resolve();
        await locked[second].resolved;
        await lock(tx, rooms[second]);
      });
    };
    await Promise.all([lockBoth(0, 1), lockBoth(1, 0)]);
    // Postgres aborts one of the two.
    expect(runs).toBe(3);
  });
});

test('a connection that the server kills is not reused', async () => {
  const own = openStore({ owner: true, url: database.url, max: 1, onError: () => undefined });
  try {
    const killed = inTransaction(own, EVERY_TENANT, async (tx) => {
      const { rows } = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await store.pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
      await tx.query('SELECT 1');
    });
    await expect(killed).rejects.toThrow(/terminat|connection|not queryable/i);
    expect((await own.pool.query<{ one: number }>('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  } finally {
    await own.close();
  }
});

test('a connection that dies silently times out, and a new one works', async () => {
  const { hostname, port } = new URL(database.url);
  const pairs: { near: Socket; far: Socket }[] = [];
  let dead = false;
  const relay = createServer((near) => {
    const far = connect(Number(port), hostname);
    pairs.push({ near, far });
    for (const socket of [near, far]) socket.on('error', () => undefined);
    near.on('data', (bytes) => void (!dead && far.write(bytes)));
    far.on('data', (bytes) => void (!dead && near.write(bytes)));
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const url = new URL(database.url);
  url.hostname = '127.0.0.1';
  url.port = String((relay.address() as AddressInfo).port);
  const own = openStore({ owner: true, url: url.href, max: 1, onError: () => undefined });
  try {
    await own.pool.query('SELECT 1');
    dead = true;
    await expect(inTransaction(own, EVERY_TENANT, (tx) => tx.query('SELECT 1'))).rejects.toThrow(/timeout/i);
    dead = false;
    expect((await own.pool.query<{ one: number }>('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  } finally {
    await own.close();
    for (const { near, far } of pairs) {
      near.destroy();
      far.destroy();
    }
    relay.close();
  }
});
