import { createRoom, type CreatedRoom } from '@partyline/conference/rooms/create-room';
import { requestDialOut } from '@partyline/conference/legs/dial-out';
import { endRoom } from '@partyline/conference/rooms/end-room';
import { issueToken } from '@partyline/conference/participants/issue-token';
import { openPinVault } from '@partyline/conference/pins/pin-vault';
import { openRequestVault } from '@partyline/conference/crypto/request-vault';
import { systemIds, systemRandomInt, systemSecret } from '@partyline/runtime/system';
import { seed } from '@partyline/store/tenants/seed';
import { openStore, type Store, type Tx } from '@partyline/store/database/store';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { agreeable, newKey } from '../testing/test-harness.ts';
import { answerOnce, type Given } from './answer-once.ts';
import { perRequest } from './per-request.ts';

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, max: 5, onError: () => undefined });
});
afterAll(async () => {
  await store.close();
  await database.drop();
});
beforeEach(async () => {
  await store.pool.query('TRUNCATE tenant, dial_in_number, room, leg, participant, outbox, idempotency_key CASCADE');
  await seed(store, {
    tenantId: 'ten_ours',
    tenantName: 'Ours',
    apiKey: newKey(),
    numbers: [{ e164: '+12025550100', language: 'en-US' }],
  });
});

/** What a process asks of others, one call after another. */
interface Life {
  calls: number;
  /** The call at which it dies: before it is made, or before its answer comes. From then on it does nothing any more. */
  readonly diesAt: number;
  readonly when: 'before' | 'after';
}
const immortal: Life = { calls: 0, diesAt: Infinity, when: 'before' };

class Crash extends Error {}

/** Everything that crosses the edge of the process, counted, until it dies. */
function mortal(life: Life, sent: unknown[]) {
  const call = async <T>(act: () => Promise<T>): Promise<T> => {
    life.calls += 1;
    if (life.calls > life.diesAt || (life.calls === life.diesAt && life.when === 'before')) throw new Crash();
    const answer = await act();
    if (life.calls >= life.diesAt) throw new Crash();
    return answer;
  };
  const connect = async () => {
    let tx: Tx | undefined;
    const got = await call(async () => (tx = await store.pool.connect())).catch((error: unknown) => {
      tx?.release(true);
      throw error;
    });
    // A connection whose process died is closed, and what it held is rolled back.
    return {
      query: (asked: string) => call(() => got.query(asked)),
      release: (broken?: Error) => got.release(broken ?? life.calls >= life.diesAt),
    };
  };
  const dying = <F extends object>(target: F): F =>
    new Proxy(target, {
      get: (of, name) => (input: unknown) =>
        call(() => Reflect.apply(Reflect.get(of, name) as (input: unknown) => Promise<unknown>, of, [input])),
    });
  const pool = { query: (asked: string) => call(() => store.pool.query(asked)), connect } as unknown as Store['pool'];
  return perRequest({
    store: { ...store, pool },
    ids: systemIds,
    secret: systemSecret,
    random: systemRandomInt,
    pins: openPinVault(Buffer.alloc(32, 7)),
    provider: dying(agreeable),
    jobs: {
      enqueue: async (...job: unknown[]) => call(async () => void sent.push(job)),
      armHangUp: async (...job: unknown[]) => call(async () => void sent.push(job)),
    },
    requests: openRequestVault(Buffer.alloc(32, 9)),
    report: { count: () => undefined, warn: () => undefined, observe: () => undefined },
    sleep: async () => undefined,
  });
}
type World = ReturnType<typeof mortal>;

const request = { tenantId: 'ten_ours', key: 'a key', what: 'POST /v1/it\n{}', requestId: 'req_1' };
const once = (world: World, work: (world: World) => Promise<unknown>): Promise<Given> =>
  answerOnce(world, request, async () => ({
    status: 201,
    headers: {},
    body: JSON.parse(JSON.stringify(await work(world))) as unknown,
  }));

/** The lease of one that died runs out. */
const leaseOver = (): Promise<unknown> =>
  store.pool.query(
    `UPDATE idempotency_key SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL`,
  );

async function counts(): Promise<object> {
  const { rows } = await store.pool.query<object>(
    `SELECT (SELECT count(*)::int FROM room) AS rooms, (SELECT count(*)::int FROM pin) AS pins, (SELECT count(*)::int FROM session) AS sessions, (SELECT count(*)::int FROM participant) AS participants,
            (SELECT count(*)::int FROM leg) AS legs, (SELECT count(*)::int FROM outbox) AS events, (SELECT count(*)::int FROM room WHERE state = 'ended') AS ended`,
  );
  return rows[0] ?? {};
}

const CLOCKS = {
  max_duration_s: 3_600,
  never_used_s: null,
  browsers_left_s: null,
  phones_left_s: null,
  alone_s: null,
  empty_s: null,
  host_left_s: null,
};
const makeRoom = (world: World): Promise<CreatedRoom> =>
  createRoom(world, 'ten_ours', { name: 'Room', hostName: 'Host', bridge: 'auto', max_participants: 10, ...CLOCKS });

const STORIES: readonly { name: string; work: (world: World, roomId: string) => Promise<unknown>; dials: number }[] = [
  { name: 'a room is created', work: makeRoom, dials: 0 },
  {
    name: 'somebody is rung',
    work: (world, roomId) => requestDialOut(world, 'ten_ours', roomId, { phone: '+12025550187' }),
    dials: 1,
  },
  {
    name: 'a token is issued',
    work: (world, roomId) => issueToken(world, 'ten_ours', roomId, { name: 'Grace' }),
    dials: 0,
  },
  { name: 'a room is ended', work: (world, roomId) => endRoom(world, 'ten_ours', roomId), dials: 0 },
];

describe.each(STORIES)('$name, and the process dies', ({ work, dials }) => {
  /** A fresh room, and the story told in it by a process with such a life; then by another, that lives. */
  async function tell(
    life: Life,
  ): Promise<{ first: Given | null; second: Given; third: Given; before: object; after: object; sent: unknown[] }> {
    const { room } = await makeRoom(mortal({ ...immortal }, []));
    const before = await counts();
    const sent: unknown[] = [];
    const dead = mortal(life, sent);
    const first = await once(dead, (world) => work(world, room.id)).catch((error: unknown) => {
      if (!(error instanceof Crash)) throw error;
      return null;
    });
    await leaseOver();
    const second = await once(mortal({ ...immortal }, sent), (world) => work(world, room.id));
    const third = await once(mortal({ ...immortal }, sent), (world) => work(world, room.id));
    return { first, second, third, before, after: await counts(), sent };
  }

  it('at whichever call, before it or before its answer: done once, with one answer', async () => {
    const whole: Life = { ...immortal };
    const told = await tell(whole);
    const wanted = JSON.stringify(told.after);
    expect([told.first?.answer, told.second.replayed]).toEqual([told.second.answer, true]);
    expect(whole.calls).toBeGreaterThan(8);
    for (let diesAt = 1; diesAt <= whole.calls; diesAt++) {
      for (const when of ['before', 'after'] as const) {
        await store.pool.query('TRUNCATE room, leg, participant, outbox, idempotency_key CASCADE');
        const { first, second, third, after, sent } = await tell({ calls: 0, diesAt, when });
        const at = `${when} call ${diesAt} of ${whole.calls}`;
        expect({ at, after: JSON.stringify(after) }).toEqual({ at, after: wanted });
        expect({ at, ...third }).toEqual({ at, answer: second.answer, replayed: true });
        if (first !== null) expect({ at, first: first.answer }).toEqual({ at, first: second.answer });
        // Asked for more than once, perhaps: of one leg.
        const dialled = new Set(
          sent.flatMap((job) => (Array.isArray(job) && job[0] === 'dial-out' ? [JSON.stringify(job[1])] : [])),
        );
        expect({ at, dialled: dialled.size }).toEqual({ at, dialled: dials });
      }
    }
  }, 120_000);
});

it('one that was taken for dead and was not changes nothing more', async () => {
  const living = mortal({ ...immortal }, []);
  let goOn = (): void => undefined;
  const stopped = new Promise<void>((resolve) => (goOn = resolve));
  let reached = (): void => undefined;
  const reaching = new Promise<void>((resolve) => (reached = resolve));
  const slow = once(living, async (world) => {
    reached();
    await stopped;
    return makeRoom(world);
  });
  await reaching;
  await leaseOver();
  const other = await once(mortal({ ...immortal }, []), makeRoom);
  goOn();
  await expect(slow).rejects.toMatchObject({ verdict: { reason: 'idempotency-in-progress' } });
  expect(await counts()).toMatchObject({ rooms: 1, sessions: 1 });
  expect(await once(living, makeRoom)).toEqual({ answer: other.answer, replayed: true });
});

it('nothing that is kept can be read: no PIN, no token, no phone number', async () => {
  const { answer } = await once(mortal({ ...immortal }, []), makeRoom);
  const { pin } = answer.body as CreatedRoom;
  const { rows } = await store.pool.query<Record<string, unknown>>(
    'SELECT k.*, s.* FROM idempotency_key k LEFT JOIN idempotency_step s ON s.key_id = k.id',
  );
  expect(rows.length).toBeGreaterThan(1);
  const kept = JSON.stringify(rows, (_key, value: unknown) =>
    value instanceof Uint8Array || (typeof value === 'object' && value !== null && 'data' in value)
      ? Buffer.from((value as { data: number[] }).data ?? value).toString('latin1')
      : value,
  );
  for (const secret of [pin, 'token-of', '+1202555', 'Room']) expect(kept).not.toContain(secret);
});
