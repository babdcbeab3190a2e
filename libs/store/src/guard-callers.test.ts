import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openStore, type Store } from './store.ts';
import { freshId, freshToken, lookupOf, makeRoom, setColumns } from './testing/fixtures.ts';
import { admitCaller, answerCaller, type Admission, type AnsweredCaller } from './voice-webhooks.ts';

const SHARED = '+442079460000';
const KEYING_S = 30;
const MAX_TRIES = 3;

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, max: 10, onError: () => undefined });
});
afterAll(async () => {
  await store.close();
  await database.drop();
});
/** A number under guard, with one room on it. */
let pin: string;
beforeEach(async () => {
  await store.pool.query('TRUNCATE leg, pin, room, session, participant, outbox, dial_in_number, tenant CASCADE');
  await store.prisma.dial_in_number.create({ data: { e164: SHARED, language: 'en-GB' } });
  ({ pin } = await makeRoom(store, { max_participants: 50 }));
});

const fresh = () => ({ sessionId: freshId('ses'), conversation: freshId('conv'), participantId: freshId('part') });
interface Call {
  readonly legId: string;
  readonly callId: string;
}
const newCall = (): Call => ({ legId: freshId('leg'), callId: freshId('call') });
const answer = (remote: string | null, call = newCall()): Promise<AnsweredCaller> => answerCaller(store, freshToken(), { ...call, number: SHARED, remote, keyingS: KEYING_S }, fresh());
const key = (call: Call, keyed: string, tryNo: number): Promise<Admission> => admitCaller(store, freshToken(), { ...call, tryNo, maxTries: MAX_TRIES, lookup: lookupOf(keyed) }, fresh());
const caller = (n: number): string => `+4479${String(n).padStart(8, '0')}`;
/** The provider's word that the call is over. */
const hangUp = async ({ legId }: Call): Promise<void> => setColumns(store, 'leg', legId, { state: 'ended', ended_at: new Date() });
/** So many seconds go by. */
const pass = (seconds: number): Promise<unknown> =>
  store.pool.query(
    `WITH n AS (UPDATE dial_in_number SET slow_until = slow_until - make_interval(secs => $1)) UPDATE leg SET created_at = created_at - make_interval(secs => $1), ended_at = ended_at - make_interval(secs => $1), owed_at = owed_at - make_interval(secs => $1)`,
    [seconds],
  );
async function wrongCall(remote: string): Promise<string> {
  const call = newCall();
  const { outcome } = await answer(remote, call);
  if (outcome !== 'ask') return outcome;
  await key(call, 'wrong', 1);
  await hangUp(call);
  return outcome;
}
const outcomes = (answers: readonly { outcome: string }[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { outcome } of answers) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
};

describe('callers who are not yet admitted', () => {
  it('are ten at most on a number, however many come at once', async () => {
    expect(outcomes(await Promise.all(Array.from({ length: 60 }, (_, n) => answer(caller(n)))))).toEqual({ ask: 10, busy: 50 });
  });

  it('are two at most of one caller, however many calls come at once; those who withhold their number count as one', async () => {
    expect(outcomes(await Promise.all(Array.from({ length: 30 }, () => answer(caller(1)))))).toEqual({ ask: 2, busy: 28 });
    expect(outcomes(await Promise.all(Array.from({ length: 30 }, () => answer(null))))).toEqual({ ask: 2, busy: 28 });
  });

  it('leave room for others as soon as they are admitted or gone', async () => {
    const [first, second] = [newCall(), newCall()];
    await answer(caller(1), first);
    await answer(caller(1), second);
    expect((await answer(caller(1))).outcome).toBe('busy');
    expect((await key(first, pin, 1)).outcome).toBe('admitted');
    expect((await answer(caller(1))).outcome).toBe('ask');
    expect((await answer(caller(1))).outcome).toBe('busy');
    await hangUp(second);
    expect((await answer(caller(1))).outcome).toBe('ask');
  });

  it('get the same answer when the webhook comes again, though the number has filled meanwhile', async () => {
    const call = newCall();
    await answer(caller(0), call);
    await Promise.all(Array.from({ length: 9 }, (_, n) => answer(caller(n + 1))));
    expect((await answer(caller(99))).outcome).toBe('busy');
    expect(await answer(caller(0), call)).toMatchObject({ outcome: 'ask', leg_id: call.legId });
  });

  it('who are refused leave no leg behind', async () => {
    await Promise.all(Array.from({ length: 40 }, (_, n) => answer(caller(n))));
    expect(await store.prisma.leg.count()).toBe(10);
  });

  it('are not counted on a number that is not under guard', async () => {
    await store.prisma.dial_in_number.update({ where: { e164: SHARED }, data: { guarded: false } });
    expect(outcomes(await Promise.all(Array.from({ length: 40 }, () => answer(null))))).toEqual({ ask: 40 });
  });
});

describe('a caller who keyed only wrong PINs', () => {
  it('waits longer before each next call, up to an hour', async () => {
    const waits: number[] = [];
    for (const wait of [15, 30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]) {
      expect(await wrongCall(caller(1))).toBe('ask');
      await pass(wait - 2);
      expect((await answer(caller(1))).outcome).toBe('later');
      await pass(4);
      waits.push(wait);
    }
    expect(waits).toHaveLength(10);
  });

  it('waits no longer once it was admitted, nor after a day', async () => {
    await wrongCall(caller(1));
    await pass(20);
    const call = newCall();
    await answer(caller(1), call);
    expect((await key(call, pin, 1)).outcome).toBe('admitted');
    await hangUp(call);
    expect(await wrongCall(caller(1))).toBe('ask');
    await pass(17);
    expect(await wrongCall(caller(1))).toBe('ask');
    await pass(86_401);
    expect(await wrongCall(caller(1))).toBe('ask');
    await pass(17);
    expect((await answer(caller(1))).outcome).toBe('ask');
  });

  it('keeps nobody else waiting: another caller, or others who withhold their number', async () => {
    await wrongCall(caller(1));
    expect((await answer(caller(2))).outcome).toBe('ask');
    const call = newCall();
    await answer(null, call);
    await key(call, 'wrong', 1);
    await hangUp(call);
    expect((await answer(null)).outcome).toBe('ask');
  });
});

describe('too many wrong PINs on a number', () => {
  /** As many wrong PINs as were keyed in calls of three tries. */
  const guesses = (calls: number): Promise<unknown> =>
    store.pool.query(
      `INSERT INTO leg (id, kind, state, number, remote, tries, last_outcome, deadline_at, ended_at) SELECT 'leg_guess_' || n, 'inbound', 'ended', $1, '+4478' || lpad(n::text, 8, '0'), 3, 'refused', now(), now() FROM generate_series(1, $2::int) AS n`,
      [SHARED, calls],
    );
  const budget = async (): Promise<{ bad: number; budget: number }> => {
    const { rows } = await store.pool.query<{ bad: string; budget: string }>('SELECT * FROM guess_budget($1)', [SHARED]);
    return { bad: Number(rows[0]?.bad), budget: Number(rows[0]?.budget) };
  };

  it('are as many as leave the odds of one right below one in a thousand, by the PINs’ own lengths', async () => {
    // One PIN of nine digits among 10 × 9^8.
    expect(await budget()).toEqual({ bad: 0, budget: 430_467 });
    await store.prisma.pin.updateMany({ data: { digits: 6 } });
    expect((await budget()).budget).toBe(590);
    // From before they were counted: taken to be the shortest.
    await store.prisma.pin.updateMany({ data: { digits: null } });
    expect((await budget()).budget).toBe(590);
  });

  it('put it into slow mode: a longer prompt, one try, and strangers one at a time', async () => {
    await store.prisma.pin.updateMany({ data: { digits: 6 } });
    await guesses(196);
    expect(await wrongCall(caller(1))).toBe('ask');
    // That was guess 589; the next is one too many.
    expect(await wrongCall(caller(2))).toBe('ask');
    const slow = newCall();
    expect((await answer(caller(3), slow)).outcome).toBe('ask-slowly');
    expect((await answer(caller(3), slow)).outcome).toBe('ask-slowly');
    expect((await key(slow, 'wrong', 1)).outcome).toBe('refused');
    expect(outcomes(await Promise.all(Array.from({ length: 20 }, (_, n) => answer(caller(n + 10)))))).toEqual({ 'ask-slowly': 1, busy: 19 });
  });

  it('keep nobody waiting for strangers who was let in before', async () => {
    await store.prisma.pin.updateMany({ data: { digits: 6 } });
    const known = newCall();
    await answer(caller(7), known);
    expect((await key(known, pin, 1)).outcome).toBe('admitted');
    await guesses(300);
    await wrongCall(caller(1));
    expect((await answer(caller(2))).outcome).toBe('ask-slowly');
    expect((await answer(caller(3))).outcome).toBe('busy');
    expect((await answer(caller(7))).outcome).toBe('ask-slowly');
  });

  it('lock nobody out: the right PIN lets in, in slow mode too', async () => {
    await store.prisma.pin.updateMany({ data: { digits: 6 } });
    await guesses(300);
    await wrongCall(caller(1));
    const call = newCall();
    expect((await answer(caller(2), call)).outcome).toBe('ask-slowly');
    expect((await key(call, pin, 1)).outcome).toBe('admitted');
  });

  it('keep it in slow mode for an hour after the last of them', async () => {
    await store.prisma.pin.updateMany({ data: { digits: 6 } });
    await guesses(300);
    await wrongCall(caller(1));
    await pass(3_590);
    expect((await answer(caller(2))).outcome).toBe('ask-slowly');
    await pass(20);
    expect((await answer(caller(3))).outcome).toBe('ask');
  });
});
