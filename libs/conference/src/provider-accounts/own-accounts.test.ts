import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Providers } from '../deps.ts';
import { dialOut, requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { hangUpLeg } from '../hang-ups/hang-up-leg.ts';
import { reconcile } from '../reconciliation/reconcile.ts';
import { reconcileCharges } from '../billing/reconcile-charges.ts';
import { sweepAccounts } from '../reconciliation/sweep-accounts.ts';
import {
  joinByPhone,
  hangUpUntilDone,
  startMeeting,
  openRoom,
  readLegs,
  readSession,
  settleNow,
  until,
  untilLegs,
  listLegsAtProvider,
} from '../testing/meeting.ts';
import { addOwnAccount, type OwnAccount } from '../testing/add-own-account.ts';
import { countHangUpRequests, passTime, resetHarness } from '../testing/pass-time.ts';
import { MEDIA_KINDS, startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness();
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

/** A world in which an account does some things otherwise. */
const where = (
  deps: TestDeps,
  accountId: string | null,
  otherwise: (account: Providers) => Partial<Providers>,
): TestDeps => ({
  ...deps,
  providers: async (id) => {
    const account = await deps.providers(id);
    return id === accountId ? { ...account, ...otherwise(account) } : account;
  },
});
/** Its list of live calls cannot be had. */
const listFails = (deps: TestDeps, accountId: string | null): TestDeps =>
  where(deps, accountId, ({ voice }) => ({
    voice: { ...voice, listLiveCalls: () => Promise.reject(new Error('the list cannot be had')) },
  }));
const unreadable = (deps: TestDeps, accountId: string): TestDeps => ({
  ...deps,
  providers: async (id) =>
    id === accountId ? Promise.reject(new Error('its master key is not there')) : deps.providers(id),
});

describe.each(MEDIA_KINDS)('a room on a number of a tenant’s own account (%s)', (kind) => {
  let deps: TestDeps;
  let own: OwnAccount;
  beforeEach(async () => {
    deps = harness.deps[kind];
    own = await addOwnAccount(harness, deps);
  });

  it('lives there with all its legs, is hung up there, and the platform’s account is asked for nothing', async () => {
    const before = (await harness.emulator.client.restLog()).length;
    const meeting = await startMeeting(harness, deps, { numberWanted: { number: own.number } });
    const { legId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: '+442079460018' });
    expect(await dialOut(deps, meeting.tenantId, legId)).toBe('dialled');
    await untilLegs(harness, meeting, 'outbound', ['joined']);
    expect((await readSession(harness, meeting)).account_id).toBe(own.accountId);
    expect((await readLegs(harness, meeting)).map((leg) => `${leg.kind} ${leg.account_id}`).toSorted()).toEqual(
      ['bridge', 'inbound', 'outbound', 'webrtc'].map((each) => `${each} ${own.accountId}`),
    );
    const { legs } = await harness.emulator.client.ledger();
    expect(new Set(legs.filter((leg) => leg.endedAt === undefined).map((leg) => leg.accountKey))).toEqual(
      new Set([own.credentials.accountKey]),
    );

    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await hangUpUntilDone(harness, deps, meeting);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
    expect((await readSession(harness, meeting)).state).toBe('ended');
    const asked = (await harness.emulator.client.restLog()).slice(before).map((entry) => entry.account);
    expect(asked.length).toBeGreaterThan(3);
    for (const account of asked) expect([own.credentials.applicationId, own.credentials.projectKey]).toContain(account);
  });

  it('has the video session that a caller began opened there', async () => {
    const meeting = await openRoom(deps, { numberWanted: { number: own.number }, bridge: 'always' });
    await harness.store.prisma.session.update({ where: { id: meeting.sessionId }, data: { media_session_id: null } });
    await joinByPhone(harness, deps, meeting);
    const { token } = await deps.provider.issueToken({
      tenantId: meeting.tenantId,
      sessionId: meeting.sessionId,
      participantId: 'part_x',
      expiresAt: new Date(Date.now() + 600_000),
    });
    const { media_session_id: mediaSessionId } = await readSession(harness, meeting);
    // The vendor takes the token in that session: both are of the one account.
    expect(await harness.emulator.client.joinWebrtc({ sessionId: mediaSessionId ?? '', token })).toMatchObject({
      connectionId: expect.any(String),
    });
    await untilLegs(harness, meeting, 'webrtc', ['joined']);
  });

  it('whose credentials cannot be read has its hang-ups asked again: nothing crashes, the lease is given back, and the others’ are done', async () => {
    const theirs = await startMeeting(harness, deps, { numberWanted: { number: own.number } });
    const shared = await startMeeting(harness, deps);
    for (const meeting of [theirs, shared])
      await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await passTime(harness, 3);
    await reconcile(unreadable(deps, own.accountId));
    await until(() => listLegsAtProvider(harness, shared), []);
    expect(await listLegsAtProvider(harness, theirs)).toHaveLength(4);
    const legs = await readLegs(harness, theirs);
    expect(legs.map(({ state, hangup_attempts, lease_until }) => ({ state, hangup_attempts, lease_until }))).toEqual(
      legs.map(() => ({ state: 'ending', hangup_attempts: 1, lease_until: null })),
    );
    const attempts = await harness.store.prisma.hang_up_attempt.findMany({
      where: { leg_id: { in: legs.map(({ id }) => id) } },
    });
    expect(attempts.map(({ outcome, reason }) => [outcome, reason])).toEqual(
      legs.map(() => ['rejected', 'provider-account-unreadable']),
    );
    expect(harness.counters.filter((each) => each.endsWith('provider-account-unreadable'))).toHaveLength(legs.length);
    expect(await hangUpLeg(deps, theirs.tenantId, legs.at(0)!.id)).toEqual({ retryAfterMs: expect.any(Number) });
    await hangUpUntilDone(harness, deps, theirs);
    expect(await listLegsAtProvider(harness, theirs)).toEqual([]);
  });
});

describe('the inventory of several accounts', () => {
  let deps: TestDeps;
  let own: OwnAccount;
  beforeEach(async () => {
    deps = harness.deps.unified;
    own = await addOwnAccount(harness, deps);
  });

  /** A call at an account that no row knows. */
  async function stranger(accountId: string | null, from: string): Promise<string> {
    const { voice } = await deps.providers(accountId);
    const phone = `+4479463${String(Math.abs(accountId === null ? 70_000 : 80_000)).padStart(5, '0')}`;
    await harness.emulator.client.setPhone(phone, { mode: 'no-answer' });
    return (
      await voice.createCall({
        to: phone,
        from,
        answerUrl: `${harness.webhooksUrl}/nowhere`,
        eventUrl: `${harness.webhooksUrl}/nowhere`,
        ringingTimerS: 60,
        lengthTimerS: 60,
      })
    ).callId;
  }
  const both = async () => ({
    shared: await stranger(null, '+442079460000'),
    theirs: await stranger(own.accountId, own.number),
  });
  /** A minute goes by, and each account has its turn. */
  async function sweep(at: TestDeps): Promise<Awaited<ReturnType<typeof sweepAccounts>>> {
    await passTime(harness, 60);
    return sweepAccounts(at, 60_000);
  }

  it('finds what nobody knows in each, and hangs it up there', async () => {
    const { shared, theirs } = await both();
    expect(await sweep(deps)).toMatchObject({ calls: 2, orphans: 0 });
    expect(await sweep(deps)).toMatchObject({ orphans: 2 });
    expect(await countHangUpRequests(harness)).toEqual({ [shared]: 1, [theirs]: 1 });
    expect(
      await harness.store.prisma.orphan_call.findMany({
        select: { id: true, account_id: true },
        orderBy: { account_id: 'asc' },
      }),
    ).toEqual([
      { id: theirs, account_id: own.accountId },
      { id: shared, account_id: null },
    ]);
  });

  it.each(['the tenant’s', 'the platform’s'])(
    'when the list of %s cannot be had: it is counted and has its turn back, its strays stay noted, and the other’s are hung up',
    async (whose) => {
      const { shared, theirs } = await both();
      const [bad, lost, found] =
        whose === 'the tenant’s' ? ([own.accountId, theirs, shared] as const) : ([null, shared, theirs] as const);
      await sweep(deps);
      expect(await sweep(listFails(deps, bad))).toMatchObject({ calls: 1, orphans: 1 });
      expect(await countHangUpRequests(harness)).toEqual({ [found]: 1 });
      expect(harness.counters).toContain(`account_sweep_failed ${bad === null ? 'platform' : 'tenant'}`);
      // Its turn comes again at once, the other's in a minute; and what it had noted before it failed counts.
      expect(await sweepAccounts(deps, 60_000)).toMatchObject({ orphans: 1 });
      expect(await countHangUpRequests(harness)).toEqual({ [found]: 1, [lost]: 1 });
    },
  );

  it('takes nothing for gone that is at another account', async () => {
    const [theirs, shared] = [
      await startMeeting(harness, deps, { numberWanted: { number: own.number } }),
      await startMeeting(harness, deps),
    ];
    for (let round = 0; round < 3; round++)
      expect(await sweep(deps)).toMatchObject({ adopted: 0, orphans: 0, missing: 0, connections: 0 });
    expect(await countHangUpRequests(harness)).toEqual({});
    for (const meeting of [theirs, shared])
      expect((await readLegs(harness, meeting)).map(({ state }) => state)).toEqual(['joined', 'joined', 'joined']);
  });

  it('asks each account for its own records of what calls cost, though another’s cannot be had', async () => {
    await harness.emulator.client.setFaults({ webhooks: [{ kind: 'event', event: 'completed', fault: 'drop' }] });
    const [theirs, shared] = [await openRoom(deps, { numberWanted: { number: own.number } }), await openRoom(deps)];
    for (const meeting of [theirs, shared]) {
      await joinByPhone(harness, deps, meeting);
      await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
      await hangUpUntilDone(harness, deps, meeting);
      await settleNow(deps, meeting);
    }
    await harness.store.pool.query(
      `UPDATE cdr SET price_micro = NULL, price_lookup_at = now() - interval '1 second' WHERE handle = 'voice'`,
    );
    expect(await reconcileCharges(unreadable(deps, own.accountId))).toBe(1);
    await harness.store.pool.query(
      `UPDATE cdr SET price_lookup_at = now() - interval '1 second' WHERE price_micro IS NULL AND handle = 'voice'`,
    );
    expect(await reconcileCharges(deps)).toBe(1);
    const { rows } = await harness.store.pool.query<{ open: number }>(
      `SELECT count(*)::int AS open FROM cdr WHERE price_micro IS NULL AND handle = 'voice'`,
    );
    expect(rows[0]).toEqual({ open: 0 });
  });
});
