import { createRoom, type CreatedRoom } from '@partyline/conference/rooms/create-room';
import { requestDialOut } from '@partyline/conference/legs/dial-out';
import { endRoom } from '@partyline/conference/rooms/end-room';
import { issueToken } from '@partyline/conference/participants/issue-token';
import { openPinVault } from '@partyline/conference/pins/pin-vault';
import { openRequestVault } from '@partyline/conference/crypto/request-vault';
import { systemIds, systemRandomInt, systemSecret } from '@partyline/runtime/system';
import { seed } from '@partyline/store/tenants/seed';
import { openStore, type Store } from '@partyline/store/database/store';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { acceptingProvider, generateKey } from '../testing/test-harness.ts';
import { answerOnce, type OnceAnswer } from './answer-once.ts';
import { bindRequestContext } from './request-context.ts';

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
    apiKey: generateKey(),
    numbers: [{ e164: '+12025550100', language: 'en-US' }],
  });
});

/** The outside calls of a process, and the call at which it crashes. */
interface CrashPlan {
  calls: number;
  /**
   * The number of the call at which the process crashes: before the call is made, or after it is
   * made and before its answer arrives. No later call is made.
   */
  readonly crashAt: number;
  readonly when: 'before' | 'after';
}
const NO_CRASH: CrashPlan = { calls: 0, crashAt: Infinity, when: 'before' };

class Crash extends Error {}

/** The dependencies of one process. Every outside call is counted, and fails after the crash. */
function createDeps(plan: CrashPlan, sent: unknown[]) {
  const call = async <T>(act: () => Promise<T>): Promise<T> => {
    plan.calls += 1;
    if (plan.calls > plan.crashAt || (plan.calls === plan.crashAt && plan.when === 'before')) throw new Crash();
    const answer = await act();
    if (plan.calls >= plan.crashAt) throw new Crash();
    return answer;
  };
  const connect = async () => {
    let tx: { release(destroy: boolean): void } | undefined;
    const connection = await call(async () => (tx = await store.pool.connect())).catch((error: unknown) => {
      tx?.release(true);
      throw error;
    });
    // The connection of a crashed process is closed, and its transaction is rolled back.
    return {
      query: (text: string) => call(() => connection.query(text)),
      release: (broken?: Error) => connection.release(broken ?? plan.calls >= plan.crashAt),
    };
  };
  const countCalls = <F extends object>(target: F): F =>
    new Proxy(target, {
      get: (of, name) => (input: unknown) =>
        call(() => Reflect.apply(Reflect.get(of, name) as (input: unknown) => Promise<unknown>, of, [input])),
    });
  const pool = { query: (text: string) => call(() => store.pool.query(text)), connect } as unknown as Store['pool'];
  return bindRequestContext({
    store: { ...store, pool, query: (scope, query) => call(() => store.query(scope, query)) },
    ids: systemIds,
    secret: systemSecret,
    random: systemRandomInt,
    pins: openPinVault([Buffer.alloc(32, 7)]),
    provider: countCalls(acceptingProvider),
    jobs: {
      enqueue: async (...job: unknown[]) => call(async () => void sent.push(job)),
      armHangUp: async (...job: unknown[]) => call(async () => void sent.push(job)),
      assertReachable: async () => undefined,
    },
    requests: openRequestVault([Buffer.alloc(32, 9)]),
    report: { count: () => undefined, warn: () => undefined, observe: () => undefined },
    sleep: async () => undefined,
  });
}
type Deps = ReturnType<typeof createDeps>;

const request = { tenantId: 'ten_ours', key: 'a key', fingerprintInput: 'POST /v1/it\n{}', requestId: 'req_1' };
const runOnce = (deps: Deps, work: (deps: Deps) => Promise<unknown>): Promise<OnceAnswer> =>
  answerOnce(deps, request, async () => ({
    status: 201,
    headers: {},
    body: JSON.parse(JSON.stringify(await work(deps))) as unknown,
  }));

/** Expires the lease of a crashed process. */
const expireLeases = (): Promise<unknown> =>
  store.pool.query(
    `UPDATE idempotency_key SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL`,
  );

async function countRows(): Promise<object> {
  const { rows } = await store.pool.query<object>(
    `SELECT
       (SELECT count(*)::int FROM room) AS rooms,
       (SELECT count(*)::int FROM pin) AS pins,
       (SELECT count(*)::int FROM session) AS sessions,
       (SELECT count(*)::int FROM participant) AS participants,
       (SELECT count(*)::int FROM leg) AS legs,
       (SELECT count(*)::int FROM outbox) AS events,
       (SELECT count(*)::int FROM room WHERE state = 'ended') AS ended`,
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
const makeRoom = (deps: Deps): Promise<CreatedRoom> =>
  createRoom(deps, 'ten_ours', { name: 'Room', hostName: 'Host', bridge: 'auto', max_participants: 10, ...CLOCKS });

const REQUESTS: readonly { name: string; work: (deps: Deps, roomId: string) => Promise<unknown>; dials: number }[] = [
  { name: 'createRoom', work: makeRoom, dials: 0 },
  {
    name: 'requestDialOut',
    work: (deps, roomId) => requestDialOut(deps, 'ten_ours', roomId, { phone: '+12025550187' }),
    dials: 1,
  },
  {
    name: 'issueToken',
    work: (deps, roomId) => issueToken(deps, 'ten_ours', roomId, { name: 'Grace' }),
    dials: 0,
  },
  { name: 'endRoom', work: (deps, roomId) => endRoom(deps, 'ten_ours', roomId), dials: 0 },
];

describe.each(REQUESTS)('crash during $name', ({ work, dials }) => {
  /**
   * Runs the request in a new room: first in a process that crashes as planned, then twice in a
   * process that does not.
   */
  async function runWithCrash(plan: CrashPlan): Promise<{
    first: OnceAnswer | null;
    second: OnceAnswer;
    third: OnceAnswer;
    before: object;
    after: object;
    sent: unknown[];
  }> {
    const { room } = await makeRoom(createDeps({ ...NO_CRASH }, []));
    const before = await countRows();
    const sent: unknown[] = [];
    const crashing = createDeps(plan, sent);
    const first = await runOnce(crashing, (deps) => work(deps, room.id)).catch((error: unknown) => {
      if (!(error instanceof Crash)) throw error;
      return null;
    });
    await expireLeases();
    const second = await runOnce(createDeps({ ...NO_CRASH }, sent), (deps) => work(deps, room.id));
    const third = await runOnce(createDeps({ ...NO_CRASH }, sent), (deps) => work(deps, room.id));
    return { first, second, third, before, after: await countRows(), sent };
  }

  it('has one effect and one answer, before or after every outside call', async () => {
    const complete: CrashPlan = { ...NO_CRASH };
    const expected = await runWithCrash(complete);
    const wanted = JSON.stringify(expected.after);
    expect([expected.first?.answer, expected.second.replayed]).toEqual([expected.second.answer, true]);
    expect(complete.calls).toBeGreaterThan(8);
    for (let crashAt = 1; crashAt <= complete.calls; crashAt++) {
      for (const when of ['before', 'after'] as const) {
        await store.pool.query('TRUNCATE room, leg, participant, outbox, idempotency_key CASCADE');
        const { first, second, third, after, sent } = await runWithCrash({ calls: 0, crashAt, when });
        const at = `${when} call ${crashAt} of ${complete.calls}`;
        expect({ at, after: JSON.stringify(after) }).toEqual({ at, after: wanted });
        expect({ at, ...third }).toEqual({ at, answer: second.answer, replayed: true });
        if (first !== null) expect({ at, first: first.answer }).toEqual({ at, first: second.answer });
        // The job may be enqueued more than once, for one leg.
        const dialled = new Set(
          sent.flatMap((job) => (Array.isArray(job) && job[0] === 'dial-out' ? [JSON.stringify(job[1])] : [])),
        );
        expect({ at, dialled: dialled.size }).toEqual({ at, dialled: dials });
      }
    }
  }, 120_000);
});

it('changes nothing after the lease has expired and another process has answered', async () => {
  const slowDeps = createDeps({ ...NO_CRASH }, []);
  let resume = (): void => undefined;
  const stopped = new Promise<void>((resolve) => (resume = resolve));
  let markReached = (): void => undefined;
  const reached = new Promise<void>((resolve) => (markReached = resolve));
  const slow = runOnce(slowDeps, async (deps) => {
    markReached();
    await stopped;
    return makeRoom(deps);
  });
  await reached;
  await expireLeases();
  const other = await runOnce(createDeps({ ...NO_CRASH }, []), makeRoom);
  resume();
  await expect(slow).rejects.toMatchObject({ verdict: { reason: 'idempotency-in-progress' } });
  expect(await countRows()).toMatchObject({ rooms: 1, sessions: 1 });
  expect(await runOnce(slowDeps, makeRoom)).toEqual({ answer: other.answer, replayed: true });
});

it('recognises and replays a request under both keys while a PIN key is replaced', async () => {
  const [oldKey, newKey] = [Buffer.alloc(32, 9), Buffer.alloc(32, 10)];
  const depsWith = (...keys: readonly Buffer[]): Deps => ({
    ...createDeps({ ...NO_CRASH }, []),
    requests: openRequestVault(keys),
  });
  const { answer } = await runOnce(depsWith(oldKey), makeRoom);
  const replay = { answer, replayed: true };
  expect(await runOnce(depsWith(oldKey, newKey), makeRoom)).toEqual(replay);
  expect(await runOnce(depsWith(newKey, oldKey), makeRoom)).toEqual(replay);
  await store.pool.query('TRUNCATE idempotency_key CASCADE');
  const { answer: later } = await runOnce(depsWith(newKey, oldKey), makeRoom);
  expect(await runOnce(depsWith(oldKey, newKey), makeRoom)).toEqual({ answer: later, replayed: true });
});

it('stores no PIN, token or phone number in plain text', async () => {
  const { answer } = await runOnce(createDeps({ ...NO_CRASH }, []), makeRoom);
  const { pin } = answer.body as CreatedRoom;
  const { rows } = await store.pool.query<Record<string, unknown>>(
    'SELECT k.*, s.* FROM idempotency_key k LEFT JOIN idempotency_step s ON s.key_id = k.id',
  );
  expect(rows.length).toBeGreaterThan(1);
  const stored = JSON.stringify(rows, (_key, value: unknown) =>
    value instanceof Uint8Array || (typeof value === 'object' && value !== null && 'data' in value)
      ? Buffer.from((value as { data: number[] }).data ?? value).toString('latin1')
      : value,
  );
  for (const secret of [pin, 'token-of', '+1202555', 'Room']) expect(stored).not.toContain(secret);
});
