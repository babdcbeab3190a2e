import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Providers } from '../deps.ts';
import { dialOut, requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { hangUpLeg } from '../hang-ups/hang-up-leg.ts';
import { reconcile } from '../reconciliation/reconcile.ts';
import { reconcileCharges } from '../billing/reconcile-charges.ts';
import { listAccountsToSweep } from '@partyline/store/reconciliation/inventory';
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

/** Returns dependencies with some methods of one account's providers replaced. */
const withAccount = (
  deps: TestDeps,
  accountId: string | null,
  override: (account: Providers) => Partial<Providers>,
): TestDeps => ({
  ...deps,
  providers: async (id) => {
    const account = await deps.providers(id);
    return id === accountId ? { ...account, ...override(account) } : account;
  },
});
/** Makes the list of live calls of one account fail. */
const withFailingList = (deps: TestDeps, accountId: string | null): TestDeps =>
  withAccount(deps, accountId, ({ voice }) => ({
    voice: { ...voice, listLiveCalls: () => Promise.reject(new Error('listing calls failed')) },
  }));
const withUnreadableAccount = (deps: TestDeps, accountId: string): TestDeps => ({
  ...deps,
  providers: async (id) =>
    id === accountId ? Promise.reject(new Error('the master key is missing')) : deps.providers(id),
});

describe.each(MEDIA_KINDS)("a room on a number of a tenant's own account (%s)", (kind) => {
  let deps: TestDeps;
  let own: OwnAccount;
  beforeEach(async () => {
    deps = harness.deps[kind];
    own = await addOwnAccount(harness, deps);
  });

  it("has and hangs up all its legs at this account, without requests to the platform's account", async () => {
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
    const accounts = (await harness.emulator.client.restLog()).slice(before).map((entry) => entry.account);
    expect(accounts.length).toBeGreaterThan(3);
    for (const account of accounts)
      expect([own.credentials.applicationId, own.credentials.projectKey]).toContain(account);
  });

  it('opens the video session of a session that a caller began at this account', async () => {
    const meeting = await openRoom(deps, { numberWanted: { number: own.number }, bridge: 'always' });
    await harness.store.prisma.session.update({ where: { id: meeting.sessionId }, data: { media_session_id: null } });
    await joinByPhone(harness, deps, meeting);
    const { token } = await deps.provider.issueToken({
      tenantId: meeting.tenantId,
      sessionId: meeting.sessionId,
      participantId: 'part_x',
      startsConference: true,
      expiresAt: new Date(Date.now() + 600_000),
    });
    const { media_session_id: mediaSessionId } = await readSession(harness, meeting);
    // The provider accepts the token in that session, so both belong to the same account.
    expect(await harness.emulator.client.joinWebrtc({ sessionId: mediaSessionId ?? '', token })).toMatchObject({
      connectionId: expect.any(String),
    });
    await untilLegs(harness, meeting, 'webrtc', ['joined']);
  });

  it('retries hang-ups while the credentials cannot be read, releases the leases, and delays no others', async () => {
    const atTenant = await startMeeting(harness, deps, { numberWanted: { number: own.number } });
    const atPlatform = await startMeeting(harness, deps);
    for (const meeting of [atTenant, atPlatform])
      await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await passTime(harness, 3);
    await reconcile(withUnreadableAccount(deps, own.accountId));
    await until(() => listLegsAtProvider(harness, atPlatform), []);
    expect(await listLegsAtProvider(harness, atTenant)).toHaveLength(4);
    const legs = await readLegs(harness, atTenant);
    expect(legs.map(({ state, hangup_attempts, lease_until }) => ({ state, hangup_attempts, lease_until }))).toEqual(
      legs.map(() => ({ state: 'ending', hangup_attempts: 1, lease_until: null })),
    );
    const attempts = await harness.store.prisma.hang_up_attempt.findMany({
      where: { leg_id: { in: legs.map(({ id }) => id) } },
    });
    expect(attempts.map(({ outcome, reason }) => [outcome, reason])).toEqual(
      legs.map(() => ['rejected', 'provider-account-unreadable']),
    );
    expect(harness.counters.filter((each) => each.endsWith('provider-account-unreadable tenant'))).toHaveLength(
      legs.length,
    );
    expect(await hangUpLeg(deps, atTenant.tenantId, legs.at(0)!.id)).toEqual({ retryAfterMs: expect.any(Number) });
    await hangUpUntilDone(harness, deps, atTenant);
    expect(await listLegsAtProvider(harness, atTenant)).toEqual([]);
  });
});

it("the provider RPC refuses another tenant's account, and asks no provider", async () => {
  const deps = harness.deps.unified;
  const own = await addOwnAccount(harness, deps);
  const open = (tenantId: string) =>
    deps.provider.openMedia({
      tenantId,
      accountId: own.accountId,
      conversation: 'c',
      participantId: 'part_x',
      lifetimeS: 60,
    });
  const before = (await harness.emulator.client.restLog()).length;
  await expect(open('ten_other')).rejects.toMatchObject({ verdict: { reason: 'provider-account-gone' } });
  expect((await harness.emulator.client.restLog()).length).toBe(before);
  expect(await open(deps.tenantId)).toMatchObject({ mediaSessionId: expect.any(String) });
});

describe('the inventory of several accounts', () => {
  let deps: TestDeps;
  let own: OwnAccount;
  beforeEach(async () => {
    deps = harness.deps.unified;
    own = await addOwnAccount(harness, deps);
  });

  /** Creates an orphan call at an account. */
  async function createOrphanCall(accountId: string | null, from: string): Promise<string> {
    const { voice } = await deps.providers(accountId);
    const phone = `+4479463${String(Math.abs(accountId === null ? 70_000 : 80_000)).padStart(5, '0')}`;
    await harness.emulator.client.setPhone(phone, { mode: 'no-answer' });
    return (
      await voice.createCall({
        to: phone,
        from,
        answerUrl: `${harness.webhooksUrl}/unused`,
        eventUrl: `${harness.webhooksUrl}/unused`,
        ringingTimerS: 60,
        lengthTimerS: 60,
      })
    ).callId;
  }
  const createOrphanCalls = async () => ({
    atPlatform: await createOrphanCall(null, '+442079460000'),
    atTenant: await createOrphanCall(own.accountId, own.number),
  });
  const sweepAll = async (at: TestDeps) => sweepAccounts(at, 60_000, [null, ...(await listAccountsToSweep(at.store))]);
  /** Advances the time by one minute, so that the sweep of every account is due. */
  async function sweep(at: TestDeps): Promise<Awaited<ReturnType<typeof sweepAccounts>>> {
    await passTime(harness, 60);
    return sweepAll(at);
  }

  it('finds the orphan calls of each account, and hangs them up there', async () => {
    const { atPlatform, atTenant } = await createOrphanCalls();
    expect(await sweep(deps)).toMatchObject({ calls: 2, orphans: 0 });
    expect(await sweep(deps)).toMatchObject({ orphans: 2 });
    expect(await countHangUpRequests(harness)).toEqual({ [atPlatform]: 1, [atTenant]: 1 });
    expect(
      await harness.store.prisma.orphan_call.findMany({
        select: { id: true, account_id: true },
        orderBy: { account_id: 'asc' },
      }),
    ).toEqual([
      { id: atTenant, account_id: own.accountId },
      { id: atPlatform, account_id: null },
    ]);
  });

  it.each(['tenant', 'platform'])(
    "a failed list of the %s's account is counted and retried at once, and does not affect the other account",
    async (owner) => {
      const { atPlatform, atTenant } = await createOrphanCalls();
      const [bad, lost, found] =
        owner === 'tenant' ? ([own.accountId, atTenant, atPlatform] as const) : ([null, atPlatform, atTenant] as const);
      await sweep(deps);
      expect(await sweep(withFailingList(deps, bad))).toMatchObject({ calls: 1, orphans: 1 });
      expect(await countHangUpRequests(harness)).toEqual({ [found]: 1 });
      expect(harness.counters).toContain(`account_sweep_failed ${bad === null ? 'platform' : 'tenant'}`);
      // The failed sweep is due at once, the other in a minute. Orphan calls found before the
      // failure count.
      expect(await sweepAll(deps)).toMatchObject({ orphans: 1 });
      expect(await countHangUpRequests(harness)).toEqual({ [found]: 1, [lost]: 1 });
    },
  );

  it("does not treat another account's calls as missing", async () => {
    const [atTenant, atPlatform] = [
      await startMeeting(harness, deps, { numberWanted: { number: own.number } }),
      await startMeeting(harness, deps),
    ];
    for (let round = 0; round < 3; round++)
      expect(await sweep(deps)).toMatchObject({ adopted: 0, orphans: 0, missing: 0, connections: 0 });
    expect(await countHangUpRequests(harness)).toEqual({});
    for (const meeting of [atTenant, atPlatform])
      expect((await readLegs(harness, meeting)).map(({ state }) => state)).toEqual(['joined', 'joined', 'joined']);
  });

  it('looks up the charges of each account, even when another account fails', async () => {
    await harness.emulator.client.setFaults({ webhooks: [{ kind: 'event', event: 'completed', fault: 'drop' }] });
    const [atTenant, atPlatform] = [
      await openRoom(deps, { numberWanted: { number: own.number } }),
      await openRoom(deps),
    ];
    for (const meeting of [atTenant, atPlatform]) {
      await joinByPhone(harness, deps, meeting);
      await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
      await hangUpUntilDone(harness, deps, meeting);
      await settleNow(deps, meeting);
    }
    await harness.store.pool.query(
      `UPDATE cdr SET price_micro = NULL, price_lookup_at = now() - interval '1 second' WHERE handle = 'voice'`,
    );
    expect(await reconcileCharges(withUnreadableAccount(deps, own.accountId))).toBe(1);
    await harness.store.pool.query(
      `UPDATE cdr SET price_lookup_at = now() - interval '1 second' WHERE price_micro IS NULL AND handle = 'voice'`,
    );
    expect(await reconcileCharges(deps)).toBe(1);
    const { rows } = await harness.store.pool.query<{ open: number }>(
      `SELECT count(*)::int AS open FROM cdr WHERE price_micro IS NULL AND handle = 'voice'`,
    );
    expect(rows[0]).toEqual({ open: 0 });
    expect(harness.counters.filter((each) => each.startsWith('charges_reconciled'))).toEqual([
      'charges_reconciled platform',
      'charges_reconciled tenant',
    ]);
  });
});
