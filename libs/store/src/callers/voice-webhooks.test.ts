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
/** As many processes of voice-webhooks. */
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

async function ring(at: Store = store, callId = freshId('call')): Promise<Call> {
  const { leg_id } = await answerCaller(
    at,
    freshToken(),
    { legId: freshId('leg'), callId, number: NUMBER, remote: null },
    freshIds(),
  );
  return { legId: leg_id!, callId };
}

const key = (call: Call, pin: string | null, at: Store = store): Promise<Admission> =>
  admitCaller(at, freshToken(), { ...call, tryNo: 1, lookup: pin === null ? null : lookupOf(pin) }, freshIds());

const conversations = (admissions: readonly Admission[]): string[] =>
  admissions.map((one) => (one.outcome === 'admitted' ? one.conversation : one.outcome));
const rooms = (n: number, settings: Parameters<typeof makeRoom>[1] = {}): Promise<TestRoom[]> =>
  Promise.all(Array.from({ length: n }, () => makeRoom(store, settings)));
const ringAll = (n: number): Promise<Call[]> => Promise.all(Array.from({ length: n }, () => ring()));

// The first two go out by themselves; those after them are a group.
describe('callers of the same moment', () => {
  test('each get their own answer', async () => {
    const made = await rooms(3);
    const calls = await ringAll(9);
    expect(new Set(calls.map(({ legId }) => legId)).size).toBe(9);
    const pinFor = (index: number): string | null =>
      index === 4 ? '000000000' : index === 6 ? null : made.at(index % 3)!.pin;
    const admissions = await Promise.all(calls.map((call, index) => key(call, pinFor(index))));
    expect(conversations(admissions)).toEqual(
      calls.map((_, index) => (index === 4 || index === 6 ? 'wrong-pin' : made.at(index % 3)!.conversation)),
    );
  });

  test('are counted one after another: the room’s last seat goes to one of them', async () => {
    const { pin } = await makeRoom(store, { max_participants: 3 });
    const admissions = await Promise.all((await ringAll(8)).map((call) => key(call, pin)));
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

  test('are answered though one of them sends what Postgres cannot store', async () => {
    const answers = await Promise.allSettled(
      Array.from({ length: 6 }, (_, index) => ring(store, index === 4 ? 'a\0b' : freshId('call'))),
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

  test('a token that several of them show is good for one', async () => {
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

  test('do not wait for a room that somebody has locked, unless it is theirs', async () => {
    const locked = await makeRoom(store);
    const free = await makeRoom(store);
    const waiting = await ringAll(4);
    const passing = await ring();
    const { stuck } = await inTransaction(stores.at(1)!, EVERY_TENANT, async (tx) => {
      await lockSession(tx, locked.tenantId, locked.sessionId);
      const admissions = Promise.all(waiting.map((call) => key(call, locked.pin)));
      expect(conversations([await key(passing, free.pin)])).toEqual([free.conversation]);
      return { stuck: admissions };
    });
    expect(conversations(await stuck)).toEqual(waiting.map(() => locked.conversation));
  });

  test('come to the same few rooms in any order through several processes, and all get in', async () => {
    const made = await rooms(5, { max_participants: 1_000 });
    const callers = Array.from({ length: 150 }, (_, index) => ({
      at: stores.at(index % 3)!,
      room: made.at((index * 7) % 5)!,
    }));
    const admissions = await Promise.all(callers.map(async ({ at, room }) => key(await ring(at), room.pin, at)));
    expect(conversations(admissions)).toEqual(callers.map(({ room }) => room.conversation));
  });
});
