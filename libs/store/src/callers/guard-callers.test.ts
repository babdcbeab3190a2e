import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { countOpenCharges } from '../billing/cdrs.ts';
import { openStore, type Store } from '../database/store.ts';
import { freshId, freshToken, lookupOf, makeAccount, makeRoom, setColumns } from '../testing/fixtures.ts';
import { admitCaller, answerCaller, type Admission, type AnsweredCaller } from './voice-webhooks.ts';

const SHARED = '+442079460000';

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
/** A guarded number with one room. */
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
const answer = (remote: string | null, call = newCall()): Promise<AnsweredCaller> =>
  answerCaller(store, freshToken(), { ...call, number: SHARED, remote }, fresh());
const key = (call: Call, keyed: string, tryNo: number): Promise<Admission> =>
  admitCaller(store, freshToken(), { ...call, tryNo, lookups: [lookupOf(keyed)] }, fresh());
const caller = (n: number): string => `+4479${String(n).padStart(8, '0')}`;
/** Ends a call as the provider reports it. */
const hangUp = async ({ legId }: Call): Promise<void> =>
  setColumns(store, 'leg', legId, { state: 'ended', ended_at: new Date() });
/** Moves all times into the past. */
const pass = (seconds: number): Promise<unknown> =>
  store.pool.query(
    `WITH n AS (UPDATE dial_in_number SET slow_until = slow_until - make_interval(secs => $1))
     UPDATE leg
     SET created_at = created_at - make_interval(secs => $1),
       last_wrong_pin_at = last_wrong_pin_at - make_interval(secs => $1),
       ended_at = ended_at - make_interval(secs => $1),
       hangup_requested_at = hangup_requested_at - make_interval(secs => $1)`,
    [seconds],
  );
async function wrongCall(remote: string): Promise<string> {
  const call = newCall();
  const { outcome } = await answer(remote, call);
  if (!outcome.startsWith('ask')) return outcome;
  await key(call, 'wrong', 1);
  await hangUp(call);
  return outcome;
}
/** The outcome for a caller who hangs up without a key. */
async function tryCall(remote: string): Promise<string> {
  const call = newCall();
  const { outcome } = await answer(remote, call);
  if (outcome.startsWith('ask')) await hangUp(call);
  return outcome;
}
const outcomes = (answers: readonly { outcome: string }[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { outcome } of answers) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
};

describe('callers before admission', () => {
  it('are limited to ten on a number', async () => {
    expect(outcomes(await Promise.all(Array.from({ length: 60 }, (_, n) => answer(caller(n)))))).toEqual({
      ask: 10,
      busy: 50,
    });
  });

  it('are limited to five calls of one caller id, as four colleagues behind one telephone system are', async () => {
    expect(outcomes(await Promise.all(Array.from({ length: 30 }, () => answer(caller(1)))))).toEqual({
      ask: 5,
      busy: 25,
    });
  });

  it('are limited to as many calls of one caller id as the operator has set for the number', async () => {
    await store.prisma.dial_in_number.update({ where: { e164: SHARED }, data: { max_per_caller_id: 7 } });
    expect(outcomes(await Promise.all(Array.from({ length: 30 }, () => answer(caller(1)))))).toEqual({
      ask: 7,
      busy: 23,
    });
  });

  it.each([
    [10, 5],
    [40, 20],
    [1, 1],
  ])('without a caller id share half of a limit of %s: %s', async (max_unadmitted, share) => {
    await store.prisma.dial_in_number.update({ where: { e164: SHARED }, data: { max_unadmitted } });
    expect(outcomes(await Promise.all(Array.from({ length: 30 }, () => answer(null))))).toEqual({
      ask: share,
      busy: 30 - share,
    });
    if (max_unadmitted > 1) expect((await answer(caller(1))).outcome).toBe('ask');
  });

  it('no longer count once they are admitted or have hung up', async () => {
    await store.prisma.dial_in_number.update({ where: { e164: SHARED }, data: { max_per_caller_id: 2 } });
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

  it('get the same answer for a duplicate webhook after the number has filled up', async () => {
    const call = newCall();
    await answer(caller(0), call);
    await Promise.all(Array.from({ length: 9 }, (_, n) => answer(caller(n + 1))));
    expect((await answer(caller(99))).outcome).toBe('busy');
    expect(await answer(caller(0), call)).toMatchObject({ outcome: 'ask', leg_id: call.legId });
  });

  it('leave no leg when they are rejected', async () => {
    await Promise.all(Array.from({ length: 40 }, (_, n) => answer(caller(n))));
    expect(await store.prisma.leg.count()).toBe(10);
  });

  it('are not limited on an unguarded number', async () => {
    await store.prisma.dial_in_number.update({ where: { e164: SHARED }, data: { guarded: false } });
    expect(outcomes(await Promise.all(Array.from({ length: 40 }, () => answer(null))))).toEqual({ ask: 40 });
  });
});

describe('a caller with only wrong PINs', () => {
  it('is asked slowly, with one attempt, for longer after each call, up to an hour', async () => {
    for (const wait of [15, 30, 60, 120, 240, 480, 960, 1_920, 3_600]) {
      expect(await wrongCall(caller(1))).toBe('ask');
      await pass(wait / 2);
      expect(await tryCall(caller(1))).toBe('ask-slowly');
      await pass(wait / 2 + 1);
    }
    expect(await wrongCall(caller(1))).toBe('ask');
    const call = newCall();
    await pass(20);
    await answer(caller(1), call);
    expect((await key(call, 'wrong', 1)).outcome).toBe('refused');
  });

  it('is asked slowly after thirty such calls too, and a colleague behind the same telephone system is admitted', async () => {
    for (let n = 1; n <= 30; n++) expect(await wrongCall(caller(1))).toBe(n === 1 ? 'ask' : 'ask-slowly');
    const colleague = newCall();
    expect((await answer(caller(1), colleague)).outcome).toBe('ask-slowly');
    expect((await key(colleague, pin, 1)).outcome).toBe('admitted');
  });

  it('does not keep a colleague with the same caller id from the conference', async () => {
    const colleague = newCall();
    await answer(caller(1), colleague);
    for (const tryNo of [1, 2, 3]) await key(colleague, 'wrong', tryNo);
    await hangUp(colleague);
    const call = newCall();
    expect((await answer(caller(1), call)).outcome).toBe('ask-slowly');
    expect((await key(call, pin, 1)).outcome).toBe('admitted');
  });

  it('starts over after an admission, and after a day', async () => {
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

  it('is not a caller who keyed nothing, or digits that cannot be a PIN', async () => {
    for (const isSilent of [true, false]) {
      const call = newCall();
      await answer(caller(1), call);
      for (const tryNo of [1, 2, 3])
        await admitCaller(store, freshToken(), { ...call, tryNo, lookups: null, isSilent }, fresh());
      await hangUp(call);
      expect((await answer(caller(1), newCall())).outcome).toBe('ask');
      await store.pool.query(`UPDATE leg SET state = 'ended' WHERE state = 'ringing'`);
    }
  });

  it('is also a caller who keyed nothing after a wrong PIN', async () => {
    const call = newCall();
    await answer(caller(1), call);
    await key(call, 'wrong', 1);
    await admitCaller(store, freshToken(), { ...call, tryNo: 2, lookups: null, isSilent: true }, fresh());
    await hangUp(call);
    expect((await answer(caller(1))).outcome).toBe('ask-slowly');
  });

  it('does not delay other callers, nor other withheld numbers', async () => {
    await wrongCall(caller(1));
    expect((await answer(caller(2))).outcome).toBe('ask');
    const call = newCall();
    await answer(null, call);
    await key(call, 'wrong', 1);
    await hangUp(call);
    expect((await answer(null)).outcome).toBe('ask');
  });
});

describe("calls at a tenant's own account", () => {
  const createAccount = async () => {
    const account = await makeAccount(store);
    await store.prisma.dial_in_number.update({ where: { e164: account.number }, data: { guarded: true } });
    return account;
  };
  type Account = Awaited<ReturnType<typeof createAccount>>;
  const answerAt = ({ accountId, number }: Account, remote: string, call = newCall()): Promise<AnsweredCaller> =>
    answerCaller(store, freshToken(accountId), { ...call, number, remote }, fresh());
  /** A call with one key press at the tenant's own number, as its account can forge it. */
  const forge = async (account: Account, remote: string, keyed: string): Promise<string> => {
    const call = newCall();
    await answerAt(account, remote, call);
    const { outcome } = await admitCaller(
      store,
      freshToken(account.accountId),
      { ...call, tryNo: 1, lookups: [lookupOf(keyed)] },
      fresh(),
    );
    await hangUp(call);
    return outcome;
  };

  it('with wrong PINs delay their caller id at that account only', async () => {
    const [account, other] = [await createAccount(), await createAccount()];
    expect(await forge(account, caller(1), 'wrong')).toBe('wrong-pin');
    expect((await answer(caller(1))).outcome).toBe('ask');
    expect((await answerAt(other, caller(1))).outcome).toBe('ask');
    expect((await answerAt(account, caller(1))).outcome).toBe('ask-slowly');
  });

  it('with a right PIN do not end the delay of a caller id that guesses elsewhere', async () => {
    const account = await createAccount();
    const { pin: own } = await makeRoom(store, { number: account.number, tenant_id: account.tenantId });
    await wrongCall(caller(1));
    expect(await forge(account, caller(1), own)).toBe('admitted');
    expect((await answer(caller(1))).outcome).toBe('ask-slowly');
  });

  it('with a right PIN make their caller id known at that account only', async () => {
    const account = await createAccount();
    const { pin: own } = await makeRoom(store, { number: account.number, tenant_id: account.tenantId });
    expect(await forge(account, caller(1), own)).toBe('admitted');
    await store.prisma.dial_in_number.updateMany({ data: { slow_until: new Date('2099-01-01') } });
    await answer(caller(1));
    await answerAt(account, caller(1));
    expect(
      await store.prisma.leg.findMany({
        where: { remote: caller(1), slow: true },
        orderBy: { created_at: 'asc' },
        select: { account_id: true, known: true },
      }),
    ).toEqual([
      { account_id: null, known: false },
      { account_id: account.accountId, known: true },
    ]);
  });

  it('and their wrong PINs do not count on a number that moved to the platform since', async () => {
    const account = await createAccount();
    const open = newCall();
    await answerAt(account, caller(1), open);
    for (let n = 0; n < 9; n++) await answerAt(account, caller(n + 2));
    expect((await answerAt(account, caller(20))).outcome).toBe('busy');
    await store.pool.query(
      `UPDATE leg
       SET last_wrong_pin_at = now(), pin_guess_odds = 0.0001, slow = true, known = true
       WHERE number = $1 AND voice_call_id <> $2`,
      [account.number, open.callId],
    );
    await store.prisma.dial_in_number.update({
      where: { e164: account.number },
      data: { account_id: null, dedicated_to: null },
    });

    const asked = newCall();
    const calls = [asked, ...Array.from({ length: 10 }, newCall)];
    const answers = [];
    for (const [n, call] of calls.entries())
      answers.push(
        await answerCaller(store, freshToken(), { ...call, number: account.number, remote: caller(n) }, fresh()),
      );
    expect(outcomes(answers)).toEqual({ ask: 10, busy: 1 });

    // Nor does one that is keyed after the move, while the platform's own do.
    const forged = { ...open, tryNo: 1, lookups: [lookupOf('wrong')] };
    expect((await admitCaller(store, freshToken(account.accountId), forged, fresh())).outcome).toBe('wrong-pin');
    expect(await store.prisma.pin_guess_day.count()).toBe(0);
    const real = { ...asked, tryNo: 1, lookups: [lookupOf('wrong')] };
    expect((await admitCaller(store, freshToken(), real, fresh())).outcome).toBe('wrong-pin');
  });

  it('are rejected, without a row, while the tenant is suspended', async () => {
    const account = await createAccount();
    const suspend = (suspended_at: Date | null) =>
      store.prisma.tenant.update({ where: { id: account.tenantId }, data: { suspended_at } });
    await suspend(new Date());
    const before = await store.prisma.webhook_jti.count();
    expect(await answerAt(account, caller(1))).toMatchObject({ outcome: 'suspended', leg_id: null });
    expect(await store.prisma.leg.count()).toBe(0);
    expect(await store.prisma.webhook_jti.count()).toBe(before);
    await suspend(null);
    expect((await answerAt(account, caller(1))).outcome).toBe('ask');
  });
});

describe('slow mode of a number', () => {
  /** Inserts ended calls with wrong PINs: three each, or one each by known callers in slow mode. */
  const guesses = (calls: number, known = false): Promise<unknown> =>
    store.pool.query(
      `INSERT INTO leg (
         id, kind, state, number, remote, tries, last_outcome, slow, known, last_wrong_pin_at, pin_guess_odds,
         deadline_at, ended_at
       )
       SELECT $3 || n, 'inbound', 'ended', $1, '+4478' || lpad(n::text, 8, '0'), tries, 'refused', $4, $4, now(),
         tries * pin_guess_odds($1), now(), now()
       FROM generate_series(1, $2::int) AS n, LATERAL (SELECT CASE WHEN $4 THEN 1 ELSE 3 END) AS row (tries)`,
      [SHARED, calls, freshId('guess'), known],
    );
  /** The number of wrong PINs that are allowed in a day. */
  const budget = async (): Promise<number> => {
    const { rows } = await store.pool.query<{ budget: number }>(
      'SELECT floor(0.001 / pin_guess_odds($1))::int AS budget',
      [SHARED],
    );
    return rows.at(0)!.budget;
  };
  const wrong = async (remote: string): Promise<string> => {
    const call = newCall();
    const { outcome } = await answer(remote, call);
    if (outcome.startsWith('ask')) {
      await key(call, 'wrong', 1);
      await hangUp(call);
    }
    return outcome;
  };
  const right = async (remote: string): Promise<string> => {
    const call = newCall();
    await answer(remote, call);
    const { outcome } = await key(call, pin, 1);
    await hangUp(call);
    return outcome;
  };
  /**
   * One PIN of six digits allows 590 wrong PINs: 295 before slow mode; in slow mode 147 by unknown
   * callers, one in 588 seconds, and 147 by known callers.
   */
  const sixDigits = (): Promise<unknown> => store.prisma.pin.updateMany({ data: { digits: 6 } });

  it('has a budget that keeps the odds of a right guess below 1 in 1000, by the lengths of the PINs', async () => {
    // One PIN of nine digits among 10 * 9^8.
    expect(await budget()).toBe(430_467);
    await sixDigits();
    expect(await budget()).toBe(590);
    // PINs without a stored length count as the shortest.
    await store.prisma.pin.updateMany({ data: { digits: null } });
    expect(await budget()).toBe(590);
  });

  it('starts at half of the budget: one attempt per call, and unknown callers one at a time', async () => {
    await sixDigits();
    await guesses(97);
    // 291 are keyed: a call with three attempts fits, and another after one wrong PIN, but not
    // after two.
    expect(await wrongCall(caller(1))).toBe('ask');
    expect(await wrongCall(caller(2))).toBe('ask');
    const slow = newCall();
    expect((await answer(caller(3), slow)).outcome).toBe('ask-slowly');
    expect((await answer(caller(3), slow)).outcome).toBe('ask-slowly');
    expect(outcomes(await Promise.all(Array.from({ length: 20 }, (_, n) => answer(caller(n + 10)))))).toEqual({
      busy: 20,
    });
    expect((await key(slow, 'wrong', 1)).outcome).toBe('refused');
  });

  it('counts all attempts of current callers in advance, so that the budget is never exceeded', async () => {
    await sixDigits();
    await guesses(95);
    expect(outcomes(await Promise.all(Array.from({ length: 9 }, (_, n) => answer(caller(n)))))).toEqual({
      ask: 3,
      'ask-slowly': 1,
      busy: 5,
    });
  });

  it('delays unknown callers after a wrong PIN, but not after a right one or after silence', async () => {
    await sixDigits();
    await guesses(100);
    expect(await right(caller(1))).toBe('admitted');
    const silent = newCall();
    expect((await answer(caller(2), silent)).outcome).toBe('ask-slowly');
    await admitCaller(store, freshToken(), { ...silent, tryNo: 1, lookups: null }, fresh());
    await hangUp(silent);
    expect(await wrong(caller(3))).toBe('ask-slowly');
    expect((await answer(caller(4))).outcome).toBe('busy');
    await pass(400);
    expect((await answer(caller(4))).outcome).toBe('busy');
    await pass(189);
    expect((await answer(caller(4))).outcome).toBe('ask-slowly');
  });

  it('admits several unknown callers at once, on half of the limit, where the budget allows it', async () => {
    await store.prisma.dial_in_number.update({
      where: { e164: SHARED },
      data: { slow_until: new Date(Date.now() + 3_600_000) },
    });
    expect(outcomes(await Promise.all(Array.from({ length: 20 }, (_, n) => answer(caller(n)))))).toEqual({
      'ask-slowly': 5,
      busy: 15,
    });
  });

  it('does not delay callers who were admitted within 30 days', async () => {
    await sixDigits();
    for (const n of [6, 7]) expect(await right(caller(n))).toBe('admitted');
    await pass(29 * 86_400);
    await guesses(100);
    expect((await answer(caller(2))).outcome).toBe('ask-slowly');
    expect((await answer(caller(3))).outcome).toBe('busy');
    expect((await answer(caller(6))).outcome).toBe('ask-slowly');
    expect((await answer(caller(7))).outcome).toBe('ask-slowly');
    await pass(2 * 86_400);
    await guesses(100);
    expect((await answer(caller(6))).outcome).toBe('busy');
  });

  it('treats known callers as unknown after five wrong PINs of one, or a quarter of the budget by all', async () => {
    await sixDigits();
    for (const n of [6, 7]) expect(await right(caller(n))).toBe('admitted');
    await guesses(100);
    const stranger = newCall();
    await answer(caller(2), stranger);
    for (let n = 0; n < 5; n++) {
      expect(await wrong(caller(6))).toBe('ask-slowly');
      await pass(300);
    }
    expect((await answer(caller(6))).outcome).toBe('busy');
    expect(await wrong(caller(7))).toBe('ask-slowly');
    await pass(300);
    await guesses(141, true);
    expect((await answer(caller(7))).outcome).toBe('busy');
    // Admitted as an unknown caller.
    await hangUp(stranger);
    expect(await right(caller(7))).toBe('admitted');
  });

  it('admits callers with the right PIN', async () => {
    await sixDigits();
    await guesses(300);
    expect(await right(caller(2))).toBe('admitted');
  });

  it('ends when enough wrong PINs are a day old', async () => {
    await sixDigits();
    await guesses(50);
    await pass(3_600);
    await guesses(60);
    expect(await right(caller(2))).toBe('admitted');
    await pass(86_400 - 3_600 - 600);
    expect((await answer(caller(3))).outcome).toBe('ask-slowly');
    await hangUp({ legId: (await store.prisma.leg.findFirstOrThrow({ where: { remote: caller(3) } })).id, callId: '' });
    await pass(601);
    expect((await answer(caller(3))).outcome).toBe('ask');
  });

  it('does not count input that cannot be a PIN, nor wrong PINs on an unguarded number', async () => {
    const call = newCall();
    await answer(caller(1), call);
    await admitCaller(store, freshToken(), { ...call, tryNo: 1, lookups: null }, fresh());
    expect(await store.prisma.leg.findFirstOrThrow()).toMatchObject({
      tries: 1,
      pin_guess_odds: 0,
      last_wrong_pin_at: null,
    });
    await key(call, 'wrong', 2);
    expect((await store.prisma.leg.findFirstOrThrow()).pin_guess_odds).toBeCloseTo(1 / (10 * 9 ** 8), 15);
    await store.prisma.dial_in_number.update({ where: { e164: SHARED }, data: { guarded: false } });
    await key(call, 'wrong', 3);
    expect((await store.prisma.leg.findFirstOrThrow()).pin_guess_odds).toBeCloseTo(1 / (10 * 9 ** 8), 15);
  });
});

describe('the budget of 30 days of a number', () => {
  /** Uses up a part of it with wrong PINs of one day. */
  const use = (part: number, daysAgo: number): Promise<unknown> =>
    store.pool.query(
      `INSERT INTO pin_guess_day (number, day, odds)
       VALUES ($1, (now() AT TIME ZONE 'UTC')::date - $2::int, 0.005 * $3::float8)`,
      [SHARED, daysAgo, part],
    );
  const readNumber = () => store.prisma.dial_in_number.findUniqueOrThrow({ where: { e164: SHARED } });
  beforeEach(() => store.prisma.pin.updateMany({ data: { digits: 6 } }));

  it('adds up the odds of wrong PINs by day, and no other input', async () => {
    const [first, second] = [newCall(), newCall()];
    for (const call of [first, second]) await answer(null, call);
    for (const tryNo of [1, 2]) await key(first, 'wrong', tryNo);
    await admitCaller(store, freshToken(), { ...second, tryNo: 1, lookups: null }, fresh());
    await admitCaller(store, freshToken(), { ...second, tryNo: 2, lookups: null, isSilent: true }, fresh());
    expect((await key(second, pin, 3)).outcome).toBe('admitted');
    const [day, ...others] = await store.prisma.pin_guess_day.findMany();
    expect([day?.number, others]).toEqual([SHARED, []]);
    expect(day?.odds).toBeCloseTo(2 / (10 * 9 ** 5), 12);
  });

  it('starts slow mode until the next day when half of it is used up', async () => {
    await use(0.49, 20);
    expect(await tryCall(caller(1))).toBe('ask');
    await use(0.01, 10);
    expect(await tryCall(caller(2))).toBe('ask-slowly');
    const { slow_until: until } = await readNumber();
    expect(until?.toISOString()).toMatch(/T00:00:00\.000Z$/);
    expect(until!.getTime() - Date.now()).toBeLessThanOrEqual(86_400_000);
  });

  it('gives unknown callers, and known callers together, 24 wrong PINs of six digits a day then', async () => {
    for (const n of [6, 7]) {
      const call = newCall();
      await answer(caller(n), call);
      await key(call, pin, 1);
      await hangUp(call);
    }
    await use(0.5, 10);
    expect(await wrongCall(caller(1))).toBe('ask-slowly');
    await pass(3_500);
    expect(await wrongCall(caller(2))).toBe('busy');
    await pass(110);
    expect(await wrongCall(caller(2))).toBe('ask-slowly');

    // As a known caller, who does not wait for unknown ones.
    expect(await tryCall(caller(6))).toBe('ask-slowly');
    await store.pool.query(
      `INSERT INTO leg (
         id, kind, state, number, last_outcome, slow, known, last_wrong_pin_at, pin_guess_odds, deadline_at, ended_at
       )
       SELECT 'known ' || n, 'inbound', 'ended', $1, 'refused', true, true, now(), pin_guess_odds($1), now(), now()
       FROM generate_series(1, 24) AS n`,
      [SHARED],
    );
    expect(await tryCall(caller(7))).toBe('busy');
  });

  it('is shown to the operator for the number with the highest odds, by owner', async () => {
    const { number } = await makeAccount(store);
    await store.prisma.dial_in_number.create({ data: { e164: '+442079460005' } });
    await use(0.1, 31);
    for (const daysAgo of [0, 30]) await use(0.2, daysAgo);
    await store.pool.query(
      `INSERT INTO pin_guess_day (number, day, odds)
       VALUES ('+442079460005', now() - interval '2 days', 0.001), ($1, now(), 0.003)`,
      [number],
    );
    const { guessOdds } = await countOpenCharges(store);
    expect(guessOdds.platform).toBeCloseTo(0.002, 10);
    expect(guessOdds.tenant).toBeCloseTo(0.003, 10);
  });

  it('counts the current day and the 30 days before it', async () => {
    await use(1, 31);
    expect(await tryCall(caller(1))).toBe('ask');
    await use(0.5, 30);
    expect(await tryCall(caller(2))).toBe('ask-slowly');
  });
});
