import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lockSession } from '../sessions/session-lock.ts';
import { EVERY_TENANT, inTransaction, openStore, type Store } from '../database/store.ts';
import {
  type TestRoom,
  NUMBER,
  freshId,
  freshIds,
  freshToken,
  lookupOf,
  makeNumbers,
  makeRoom,
} from '../testing/fixtures.ts';
import { admitCaller, answerCaller, type Admission } from './voice-webhooks.ts';

let database: TestDatabase;
/** Three stores stand for three processes of voice-webhooks. */
let stores: Store[];
let store: Store;

beforeAll(async () => {
  database = await createTestDatabase();
  stores = Array.from({ length: 3 }, () => openStore({ owner: true, url: database.url, onError: () => undefined }));
  store = stores.at(0)!;
  await makeNumbers(store);
});
afterAll(async () => {
  await Promise.all(stores.map((one) => one.close()));
  await database.drop();
});

interface Call {
  readonly legId: string;
  readonly callId: string;
}

async function answerCall(at: Store = store, callId = freshId('call')): Promise<Call> {
  const { leg_id } = await answerCaller(
    at,
    freshToken(),
    { legId: freshId('leg'), callId, number: NUMBER, remote: null },
    freshIds(),
  );
  return { legId: leg_id!, callId };
}

const keyPin = (call: Call, pin: string | null, at: Store = store): Promise<Admission> =>
  admitCaller(at, freshToken(), { ...call, tryNo: 1, lookups: pin === null ? null : [lookupOf(pin)] }, freshIds());

const conversations = (admissions: readonly Admission[]): string[] =>
  admissions.map((one) => (one.outcome === 'admitted' ? one.conversation : one.outcome));
const makeRooms = (n: number, settings: Parameters<typeof makeRoom>[1] = {}): Promise<TestRoom[]> =>
  Promise.all(Array.from({ length: n }, () => makeRoom(store, settings)));
const answerCalls = (n: number): Promise<Call[]> => Promise.all(Array.from({ length: n }, () => answerCall()));

// The first two requests run alone; the others are a batch.
describe('concurrent callers', () => {
  test('get their own answers', async () => {
    const made = await makeRooms(3);
    const calls = await answerCalls(9);
    expect(new Set(calls.map(({ legId }) => legId)).size).toBe(9);
    const pinFor = (index: number): string | null =>
      index === 4 ? '000000000' : index === 6 ? null : made.at(index % 3)!.pin;
    const admissions = await Promise.all(calls.map((call, index) => keyPin(call, pinFor(index))));
    expect(conversations(admissions)).toEqual(
      calls.map((_, index) => (index === 4 || index === 6 ? 'wrong-pin' : made.at(index % 3)!.conversation)),
    );
  });

  test('are counted one by one, so that a room never exceeds its limit', async () => {
    const { pin } = await makeRoom(store, { max_participants: 3 });
    const admissions = await Promise.all((await answerCalls(8)).map((call) => keyPin(call, pin)));
    expect(admissions.map(({ outcome }) => outcome).toSorted()).toEqual([
      'admitted',
      'admitted',
      'admitted',
      'full',
      'full',
      'full',
      'full',
      'full',
    ]);
  });

  test('are answered when another caller of the batch sends text that Postgres cannot store', async () => {
    const answers = await Promise.allSettled(
      Array.from({ length: 6 }, (_, index) => answerCall(store, index === 4 ? 'a\0b' : freshId('call'))),
    );
    expect(answers.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
  });

  test('are rejected when they replay the token of another', async () => {
    const token = freshToken();
    const answers = await Promise.all(
      Array.from({ length: 5 }, () =>
        answerCaller(
          store,
          token,
          { legId: freshId('leg'), callId: freshId('call'), number: NUMBER, remote: null },
          freshIds(),
        ),
      ),
    );
    expect(answers.map(({ outcome }) => outcome).toSorted()).toEqual([
      'ask',
      'replayed',
      'replayed',
      'replayed',
      'replayed',
    ]);
  });

  test('do not wait for the locked session of another room', async () => {
    const locked = await makeRoom(store);
    const free = await makeRoom(store);
    const waiting = await answerCalls(4);
    const passing = await answerCall();
    const { stuck } = await inTransaction(stores.at(1)!, EVERY_TENANT, async (tx) => {
      await lockSession(tx, locked.tenantId, locked.sessionId);
      const admissions = Promise.all(waiting.map((call) => keyPin(call, locked.pin)));
      expect(conversations([await keyPin(passing, free.pin)])).toEqual([free.conversation]);
      return { stuck: admissions };
    });
    expect(conversations(await stuck)).toEqual(waiting.map(() => locked.conversation));
  });

  test('are all admitted when they enter the same rooms in any order through several processes', async () => {
    const made = await makeRooms(5, { max_participants: 1_000 });
    const callers = Array.from({ length: 150 }, (_, index) => ({
      at: stores.at(index % 3)!,
      room: made.at((index * 7) % 5)!,
    }));
    const admissions = await Promise.all(
      callers.map(async ({ at, room }) => keyPin(await answerCall(at), room.pin, at)),
    );
    expect(conversations(admissions)).toEqual(callers.map(({ room }) => room.conversation));
  });
});
