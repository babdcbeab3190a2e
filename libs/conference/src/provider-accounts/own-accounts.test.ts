import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Providers } from '../deps.ts';
import { dialOut, requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { hangUpLeg } from '../hang-ups/hang-up-leg.ts';
import { reconcile } from '../reconciliation/reconcile.ts';
import { reconcileCharges } from '../billing/reconcile-charges.ts';
import { sweepAccounts } from '../reconciliation/sweep-accounts.ts';
import {
  callIn,
  hangUpUntilDone,
  meet,
  openRoom,
  readLegs,
  readSession,
  settleNow,
  until,
  untilLegs,
  upAtVendor,
} from '../testing/meeting.ts';
import { bringAccount, type OwnAccount } from '../testing/own-account.ts';
import { hangUpsAsked, passTime, startOver } from '../testing/pass-time.ts';
import { MEDIA_KINDS, setStage, type Stage, type World } from '../testing/test-harness.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
beforeEach(() => startOver(stage));
afterAll(() => stage.close());

/** A world in which an account does some things otherwise. */
const where = (
  world: World,
  accountId: string | null,
  otherwise: (account: Providers) => Partial<Providers>,
): World => ({
  ...world,
  providers: async (id) => {
    const account = await world.providers(id);
    return id === accountId ? { ...account, ...otherwise(account) } : account;
  },
});
/** Its list of live calls cannot be had. */
const listFails = (world: World, accountId: string | null): World =>
  where(world, accountId, ({ voice }) => ({
    voice: { ...voice, listLiveCalls: () => Promise.reject(new Error('the list cannot be had')) },
  }));
const unreadable = (world: World, accountId: string): World => ({
  ...world,
  providers: async (id) =>
    id === accountId ? Promise.reject(new Error('its master key is not there')) : world.providers(id),
});

describe.each(MEDIA_KINDS)('a room on a number of a tenant’s own account (%s)', (kind) => {
  let world: World;
  let own: OwnAccount;
  beforeEach(async () => {
    world = stage.worlds[kind];
    own = await bringAccount(stage, world);
  });

  it('lives there with all its legs, is hung up there, and the platform’s account is asked for nothing', async () => {
    const before = (await stage.emulator.client.restLog()).length;
    const meeting = await meet(stage, world, { numberWanted: { number: own.number } });
    const { legId } = await requestDialOut(world, meeting.tenantId, meeting.roomId, { phone: '+442079460018' });
    expect(await dialOut(world, meeting.tenantId, legId)).toBe('dialled');
    await untilLegs(stage, meeting, 'outbound', ['joined']);
    expect((await readSession(stage, meeting)).account_id).toBe(own.accountId);
    expect((await readLegs(stage, meeting)).map((leg) => `${leg.kind} ${leg.account_id}`).toSorted()).toEqual(
      ['bridge', 'inbound', 'outbound', 'webrtc'].map((each) => `${each} ${own.accountId}`),
    );
    const { legs } = await stage.emulator.client.ledger();
    expect(new Set(legs.filter((leg) => leg.endedAt === undefined).map((leg) => leg.accountKey))).toEqual(
      new Set([own.vendor.accountKey]),
    );

    await endSession(world, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await hangUpUntilDone(stage, world, meeting);
    expect(await upAtVendor(stage, meeting)).toEqual([]);
    expect((await readSession(stage, meeting)).state).toBe('ended');
    const asked = (await stage.emulator.client.restLog()).slice(before).map((entry) => entry.account);
    expect(asked.length).toBeGreaterThan(3);
    for (const account of asked) expect([own.vendor.applicationId, own.vendor.projectKey]).toContain(account);
  });

  it('has the video session that a caller began opened there', async () => {
    const meeting = await openRoom(world, { numberWanted: { number: own.number }, bridge: 'always' });
    await stage.store.prisma.session.update({ where: { id: meeting.sessionId }, data: { media_session_id: null } });
    await callIn(stage, world, meeting);
    const { token } = await world.provider.issueToken({
      tenantId: meeting.tenantId,
      sessionId: meeting.sessionId,
      participantId: 'part_x',
      expiresAt: new Date(Date.now() + 600_000),
    });
    const { media_session_id: mediaSessionId } = await readSession(stage, meeting);
    // The vendor takes the token in that session: both are of the one account.
    expect(await stage.emulator.client.joinWebrtc({ sessionId: mediaSessionId ?? '', token })).toMatchObject({
      connectionId: expect.any(String),
    });
    await untilLegs(stage, meeting, 'webrtc', ['joined']);
  });

  it('whose credentials cannot be read has its hang-ups asked again: nothing crashes, the lease is given back, and the others’ are done', async () => {
    const theirs = await meet(stage, world, { numberWanted: { number: own.number } });
    const shared = await meet(stage, world);
    for (const meeting of [theirs, shared])
      await endSession(world, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await passTime(stage, 3);
    await reconcile(unreadable(world, own.accountId));
    await until(() => upAtVendor(stage, shared), []);
    expect(await upAtVendor(stage, theirs)).toHaveLength(4);
    const legs = await readLegs(stage, theirs);
    expect(legs.map(({ state, hangup_attempts, lease_until }) => ({ state, hangup_attempts, lease_until }))).toEqual(
      legs.map(() => ({ state: 'ending', hangup_attempts: 1, lease_until: null })),
    );
    const attempts = await stage.store.prisma.hang_up_attempt.findMany({
      where: { leg_id: { in: legs.map(({ id }) => id) } },
    });
    expect(attempts.map(({ outcome, reason }) => [outcome, reason])).toEqual(
      legs.map(() => ['rejected', 'provider-account-unreadable']),
    );
    expect(stage.counted.filter((each) => each.endsWith('provider-account-unreadable'))).toHaveLength(legs.length);
    expect(await hangUpLeg(world, theirs.tenantId, legs.at(0)!.id)).toEqual({ retryAfterMs: expect.any(Number) });
    await hangUpUntilDone(stage, world, theirs);
    expect(await upAtVendor(stage, theirs)).toEqual([]);
  });
});

describe('the inventory of several accounts', () => {
  let world: World;
  let own: OwnAccount;
  beforeEach(async () => {
    world = stage.worlds.unified;
    own = await bringAccount(stage, world);
  });

  /** A call at an account that no row knows. */
  async function stranger(accountId: string | null, from: string): Promise<string> {
    const { voice } = await world.providers(accountId);
    const phone = `+4479463${String(Math.abs(accountId === null ? 70_000 : 80_000)).padStart(5, '0')}`;
    await stage.emulator.client.setPhone(phone, { mode: 'no-answer' });
    return (
      await voice.createCall({
        to: phone,
        from,
        answerUrl: `${stage.hooksUrl}/nowhere`,
        eventUrl: `${stage.hooksUrl}/nowhere`,
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
  async function sweep(at: World): Promise<Awaited<ReturnType<typeof sweepAccounts>>> {
    await passTime(stage, 60);
    return sweepAccounts(at, 60_000);
  }

  it('finds what nobody knows in each, and hangs it up there', async () => {
    const { shared, theirs } = await both();
    expect(await sweep(world)).toMatchObject({ calls: 2, orphans: 0 });
    expect(await sweep(world)).toMatchObject({ orphans: 2 });
    expect(await hangUpsAsked(stage)).toEqual({ [shared]: 1, [theirs]: 1 });
    expect(
      await stage.store.prisma.orphan_call.findMany({
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
      await sweep(world);
      expect(await sweep(listFails(world, bad))).toMatchObject({ calls: 1, orphans: 1 });
      expect(await hangUpsAsked(stage)).toEqual({ [found]: 1 });
      expect(stage.counted).toContain(`account_sweep_failed ${bad === null ? 'platform' : 'tenant'}`);
      // Its turn comes again at once, the other's in a minute; and what it had noted before it failed counts.
      expect(await sweepAccounts(world, 60_000)).toMatchObject({ orphans: 1 });
      expect(await hangUpsAsked(stage)).toEqual({ [found]: 1, [lost]: 1 });
    },
  );

  it('takes nothing for gone that is at another account', async () => {
    const [theirs, shared] = [await meet(stage, world, { numberWanted: { number: own.number } }), await meet(stage, world)];
    for (let round = 0; round < 3; round++)
      expect(await sweep(world)).toMatchObject({ adopted: 0, orphans: 0, missing: 0, connections: 0 });
    expect(await hangUpsAsked(stage)).toEqual({});
    for (const meeting of [theirs, shared])
      expect((await readLegs(stage, meeting)).map(({ state }) => state)).toEqual(['joined', 'joined', 'joined']);
  });

  it('asks each account for its own records of what calls cost, though another’s cannot be had', async () => {
    await stage.emulator.client.setFaults({ webhooks: [{ kind: 'event', event: 'completed', fault: 'drop' }] });
    const [theirs, shared] = [await openRoom(world, { numberWanted: { number: own.number } }), await openRoom(world)];
    for (const meeting of [theirs, shared]) {
      await callIn(stage, world, meeting);
      await endSession(world, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
      await hangUpUntilDone(stage, world, meeting);
      await settleNow(world, meeting);
    }
    await stage.store.pool.query(
      `UPDATE cdr SET price_micro = NULL, price_lookup_at = now() - interval '1 second' WHERE handle = 'voice'`,
    );
    expect(await reconcileCharges(unreadable(world, own.accountId))).toBe(1);
    await stage.store.pool.query(
      `UPDATE cdr SET price_lookup_at = now() - interval '1 second' WHERE price_micro IS NULL AND handle = 'voice'`,
    );
    expect(await reconcileCharges(world)).toBe(1);
    const { rows } = await stage.store.pool.query<{ open: number }>(
      `SELECT count(*)::int AS open FROM cdr WHERE price_micro IS NULL AND handle = 'voice'`,
    );
    expect(rows[0]).toEqual({ open: 0 });
  });
});
