import { randomUUID } from 'node:crypto';
import { countOpenCharges } from '@partyline/store/billing/cdrs';
import { countUnconfirmed } from '@partyline/store/reconciliation/due-work';
import { deleteTenant } from '@partyline/store/tenants/delete-tenant';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerCall } from '../callers/answer-call.ts';
import { submitPin } from '../callers/submit-pin.ts';
import type { Providers } from '../deps.ts';
import { applyLegEvent } from '../legs/apply-leg-event.ts';
import { applyMediaEvent } from '../legs/apply-media-event.ts';
import { BRIDGE_HEADER } from '../legs/bridge-token.ts';
import { writeConnectionData } from '../legs/connection-data.ts';
import { updateNumber } from '../numbers/update-number.ts';
import { getPrompt } from '@partyline/domain/prompts';
import { reconcile } from '../reconciliation/reconcile.ts';
import { sweepInventory } from '../reconciliation/sweep-inventory.ts';
import { endRoom } from '../rooms/end-room.ts';
import { addOwnAccount, type OwnAccount } from '../testing/add-own-account.ts';
import { executeSql, openRoom, type Meeting } from '../testing/meeting.ts';
import { passTime, resetHarness } from '../testing/pass-time.ts';
import { NUMBER, startTestHarness, type TestDeps, type TestHarness } from '../testing/test-harness.ts';
import { deleteAccount } from './delete-account.ts';

/*
 * A tenant can sign webhooks of its own account for calls that do not exist. They concern only this
 * tenant, and stop by themselves.
 */

const BRIDGE = BRIDGE_HEADER.toLowerCase();
const DAY_SECONDS = 86_400;

let harness: TestHarness;
let deps: TestDeps;
let own: OwnAccount;
beforeAll(async () => {
  harness = await startTestHarness();
});
beforeEach(async () => {
  await resetHarness(harness);
  deps = harness.deps.unified;
  own = await addOwnAccount(harness, deps);
});
afterAll(() => harness.close());

const token = (accountId: string | null) => ({
  accountId,
  jti: randomUUID(),
  expiresAt: new Date(Date.now() + 300_000),
});

/** Reports a call that does not exist at the provider, as the owner of the account can. */
const reportCall = (accountId: string | null, callId: string, to: string) =>
  answerCall(deps, token(accountId), { callId, from: '+442079461234', to, viaSip: false, headers: {} });

async function reportForgedCall(accountId: string | null = own.accountId, to = own.number): Promise<string> {
  const callId = randomUUID();
  await reportCall(accountId, callId, to);
  return callId;
}
const legOf = (callId: string) => harness.store.prisma.leg.findUnique({ where: { voice_call_id: callId } });

/** Lets the caller's time for a PIN pass, and makes one hang-up attempt. */
async function passDeadline(): Promise<void> {
  await passTime(harness, 120);
  await reconcile(deps);
}
async function sweep(accountId: string | null, times: number, at: TestDeps = deps): Promise<void> {
  for (let n = 0; n < times; n++) {
    await passTime(harness, 60);
    await sweepInventory(at, accountId);
  }
}
const withVoice = (change: (voice: Providers['voice']) => Partial<Providers['voice']>): TestDeps => ({
  ...deps,
  providers: async (id) => {
    const account = await deps.providers(id);
    return { ...account, voice: { ...account.voice, ...change(account.voice) } };
  },
});

it("a call at a tenant's account belongs to the tenant from its first webhook, and so does its charge", async () => {
  const callId = await reportForgedCall();
  expect(await legOf(callId)).toMatchObject({ tenant_id: deps.tenantId, session_id: null, state: 'ringing' });
  await applyLegEvent(
    deps,
    { via: 'callback', token: token(own.accountId) },
    {
      kind: 'call',
      callId,
      phase: 'over',
      at: null,
      charge: {
        priceMicro: '1690000000',
        rateMicro: null,
        seconds: 60,
        currency: 'EUR',
        startedAt: null,
        endedAt: null,
      },
    },
  );
  const leg = await legOf(callId);
  expect(leg?.state).toBe('ended');
  expect(await harness.store.prisma.cdr.findMany({ where: { leg_id: leg!.id } })).toMatchObject([
    { tenant_id: deps.tenantId, room_id: null },
  ]);
  expect(await harness.store.prisma.observation.findMany({ where: { leg_id: leg!.id } })).toMatchObject([
    { tenant_id: deps.tenantId, phase: 'over' },
  ]);
});

it('a caller before admission does not count for the live-legs limit of the tenant', async () => {
  await reportForgedCall();
  const { rows } = await harness.store.pool.query(`SELECT used FROM read_limit($1, 'live-legs')`, [deps.tenantId]);
  expect(rows).toEqual([{ used: 0 }]);
});

it('closes a forged call that the look-up denies and three complete inventories lack', async () => {
  const callId = await reportForgedCall();
  await passDeadline();
  await sweep(own.accountId, 2);
  expect(await legOf(callId)).toMatchObject({ state: 'ending', voice_closed_at: null });
  await sweep(own.accountId, 1);
  const leg = await legOf(callId);
  expect(leg).toMatchObject({ state: 'ended', outcome: 'indeterminate' });
  expect(await harness.store.prisma.observation.findMany({ where: { leg_id: leg!.id } })).toMatchObject([
    { handle: 'voice', phase: 'over', source: 'look-up', outcome: 'indeterminate', reason: 'never-seen' },
  ]);
  expect(await harness.store.prisma.cdr.count()).toBe(0);
});

it('does not close a call before its hang-up is requested', async () => {
  const callId = await reportForgedCall();
  await executeSql(harness, `UPDATE leg SET deadline_at = now() + interval '1 day'`);
  await sweep(own.accountId, 5);
  expect(await legOf(callId)).toMatchObject({ state: 'ringing' });
});

it('starts to count again when a list or a look-up shows the call', async () => {
  const callId = await reportForgedCall();
  await passDeadline();
  const live = {
    callId,
    over: false,
    calledNumber: null,
    event: { kind: 'call', callId, phase: 'answered', at: null },
  } as const;
  await sweep(own.accountId, 2);
  await sweep(
    own.accountId,
    1,
    withVoice(() => ({ listLiveCalls: async () => [live] })),
  );
  await sweep(own.accountId, 2);
  expect(await legOf(callId)).toMatchObject({ state: 'ending' });
  await sweep(
    own.accountId,
    1,
    withVoice(() => ({ getCall: async () => live })),
  );
  await sweep(own.accountId, 2);
  expect(await legOf(callId)).toMatchObject({ state: 'ending' });
  await sweep(own.accountId, 1);
  expect(await legOf(callId)).toMatchObject({ state: 'ended' });
});

it('a failed list or look-up does not count', async () => {
  const callId = await reportForgedCall();
  await passDeadline();
  const fail = (): Promise<never> => Promise.reject(new Error('no answer'));
  for (const broken of [withVoice(() => ({ listLiveCalls: fail })), withVoice(() => ({ getCall: fail }))])
    await sweep(own.accountId, 4, broken).catch(() => undefined);
  await sweep(own.accountId, 2);
  expect(await legOf(callId)).toMatchObject({ state: 'ending' });
});

it('looks up for 20 s in one sweep, and closes every forged call in the sweeps after it', async () => {
  for (let n = 0; n < 5; n++) await reportForgedCall();
  await passDeadline();
  let lookUpMs = 0;
  const slow: TestDeps = {
    ...withVoice((voice) => ({
      getCall: (id) => {
        lookUpMs += 9_000;
        return voice.getCall(id);
      },
    })),
    clock: { now: () => new Date(Date.now() + lookUpMs) },
  };
  const countOfLists = async () =>
    (await harness.store.prisma.leg.findMany()).map((leg) => leg.voice_missing_lists).toSorted((a, b) => a - b);
  await sweep(own.accountId, 1, slow);
  expect(await countOfLists()).toEqual([0, 0, 1, 1, 1]);
  await sweep(own.accountId, 5, slow);
  expect(await countOfLists()).toEqual([3, 3, 3, 3, 3]);
});

it("never concludes this about a call at the platform's account", async () => {
  const callId = await reportForgedCall(null, NUMBER);
  await passDeadline();
  await sweep(null, 6);
  expect(await legOf(callId)).toMatchObject({ state: 'ending', tenant_id: null });
});

it("rejects calls over the account's limit as busy and without a row", async () => {
  for (let n = 0; n < 200; n++) await reportForgedCall();
  const extra = randomUUID();
  const plan = await reportCall(own.accountId, extra, own.number);
  expect(plan).toMatchObject([{ do: 'reject', reason: 'busy', text: getPrompt('en-US', 'busy') }]);
  expect(await legOf(extra)).toBeNull();
  expect(harness.counters).toContain('caller_rejected account-busy tenant');
  // A call that has a leg gets its answer again.
  const { rows } = await harness.store.pool.query<{ id: string }>(
    'SELECT voice_call_id AS id FROM leg WHERE account_id = $1 LIMIT 1',
    [own.accountId],
  );
  expect(await reportCall(own.accountId, rows[0]?.id ?? '', own.number)).toHaveLength(2);
  // Another account is not affected.
  expect(await legOf(await reportForgedCall(null, NUMBER))).not.toBeNull();

  // Unconfirmed hang-ups and calls that were never seen count too, so a forged call cannot be
  // replaced.
  await passDeadline();
  await reportForgedCall();
  await executeSql(
    harness,
    `UPDATE leg SET state = 'ended', voice_missing_lists = 3, ended_at = now() WHERE account_id = $1`,
    [own.accountId],
  );
  expect(await legOf(await reportForgedCall())).toBeNull();
  await passTime(harness, 3_601);
  expect(await legOf(await reportForgedCall())).not.toBeNull();
});

it.each(['platform', 'tenant'] as const)(
  "counts callers, and webhooks without effect, of the %s's account with its owner",
  async (owner) => {
    const [accountId, number] = owner === 'tenant' ? [own.accountId, own.number] : [null, NUMBER];
    const { prisma } = harness.store;
    await prisma.dial_in_number.update({
      where: { e164: number },
      data: { guarded: true, slow_until: new Date('2099-01-01'), max_unadmitted: 2 },
    });
    for (let n = 0; n < 3; n++) await reportForgedCall(accountId, number);
    const at = { legId: 'leg_unknown', tryNo: 1 };
    const pins = { lookups: () => [Buffer.alloc(32)] as const };
    await submitPin({ ...deps, pins }, token(accountId), at, {
      callId: randomUUID(),
      digits: '135790864',
      timedOut: false,
    });
    await applyLegEvent(
      deps,
      { via: 'callback', token: token(accountId) },
      { kind: 'call', callId: randomUUID(), phase: 'over', at: null },
    );
    const bridge = { callId: randomUUID(), from: '', to: number, viaSip: true, headers: { [BRIDGE]: 'unknown' } };
    await answerCall(deps, token(accountId), bridge);
    expect(harness.counters).toEqual([
      `caller_slow_mode ${owner}`,
      `caller_slow_mode ${owner}`,
      `caller_rejected busy ${owner}`,
      `webhook_ignored unknown-call ${owner}`,
      `webhook_ignored unknown-call ${owner}`,
      `webhook_ignored unknown-bridge ${owner}`,
    ]);
  },
);

it('rejects calls over the hourly limit of the account, although all are over', async () => {
  await executeSql(
    harness,
    `INSERT INTO leg (id, tenant_id, account_id, kind, state, number, voice_call_id, ended_at, deadline_at)
     SELECT 'leg_' || n, $1, $2, 'inbound', 'ended', $3, 'call_' || n, now(), now()
     FROM generate_series(1, 3600) AS n`,
    [deps.tenantId, own.accountId, own.number],
  );
  expect(await legOf(await reportForgedCall())).toBeNull();
  expect(harness.counters).toContain('caller_rejected account-busy tenant');
  expect(await legOf(await reportForgedCall(null, NUMBER))).not.toBeNull();
  await passTime(harness, 3_601);
  expect(await legOf(await reportForgedCall())).not.toBeNull();
});

it('reports unconfirmed legs and open charges of the platform and of tenants separately', async () => {
  await reportForgedCall();
  await passDeadline();
  await passTime(harness, 100);
  const { platform, tenant } = await countUnconfirmed(harness.store);
  expect(platform).toEqual({ legs: 0, oldestS: 0 });
  expect(tenant.legs).toBe(1);
  expect(tenant.oldestS).toBeGreaterThan(90);

  await applyLegEvent(
    deps,
    { via: 'callback', token: token(own.accountId) },
    { kind: 'call', callId: await reportForgedCall(), phase: 'over', at: null },
  );
  await passTime(harness, 3_601);
  expect((await countOpenCharges(harness.store)).open).toEqual({ platform: 0, tenant: 1 });
  expect(harness.counters.filter((each) => each.startsWith('hang_up'))).toEqual([
    'hang_up_attempts inbound tenant',
    'hang_up_failed inbound upstream-404 tenant',
  ]);
});

it('stores at most the last 20 attempts of a leg', async () => {
  const callId = await reportForgedCall();
  for (let n = 0; n < 25; n++) await passDeadline();
  const leg = await legOf(callId);
  expect(leg?.hangup_attempts).toBe(25);
  const attempts = await harness.store.prisma.hang_up_attempt.findMany({
    where: { leg_id: leg!.id },
    orderBy: { no: 'asc' },
  });
  expect(attempts.map(({ no }) => no)).toEqual(Array.from({ length: 20 }, (_, n) => n + 6));
});

it('a tenant can be deleted once its forged calls are closed', async () => {
  await reportForgedCall();
  await passDeadline();
  await executeSql(harness, 'UPDATE tenant SET suspended_at = now()');
  await executeSql(harness, 'DELETE FROM dial_in_number WHERE dedicated_to IS NOT NULL');
  expect(await deleteTenant(harness.store, deps.tenantId)).toBe('legs-up');
  await sweep(own.accountId, 3);
  expect(await deleteTenant(harness.store, deps.tenantId)).toBe('deleted');
  for (const table of ['leg', 'observation', 'hang_up_attempt', 'provider_account'])
    expect({ [table]: (await harness.store.pool.query(`SELECT FROM ${table}`)).rowCount }).toEqual({ [table]: 0 });
});

describe('when the provider rejects all requests with the key of the account', () => {
  let meeting: Meeting;
  beforeEach(async () => {
    meeting = await openRoom(deps, { numberWanted: { number: own.number } });
    await applyMediaEvent(
      deps,
      { via: 'callback', token: token(own.accountId) },
      {
        kind: 'connected',
        mediaSessionId: meeting.mediaSessionId,
        connectionId: randomUUID(),
        data: writeConnectionData({ participant: null }),
        at: new Date(),
      },
    );
    await reportForgedCall();
    await endRoom(deps, meeting.tenantId, meeting.roomId);
    await executeSql(harness, 'DELETE FROM dial_in_number WHERE dedicated_to IS NOT NULL');
    await harness.emulator.client.setFaults({ rest: [{ fault: '401' }] });
    await passDeadline();
    await passTime(harness, DAY_SECONDS - 600);
    await reconcile(deps);
  });
  const upLegs = () => harness.store.prisma.leg.count({ where: { state: 'ending' } });

  it('the account can be deleted a day after the hang-ups were requested', async () => {
    const tryDelete = () => deleteAccount(deps, deps.tenantId, own.accountId);
    await expect(tryDelete()).rejects.toMatchObject({ verdict: { reason: 'provider-account-in-use' } });
    await passTime(harness, 600);
    await reconcile(deps);
    expect(await upLegs()).toBe(2);
    await tryDelete();
    const { ciphertext } = await harness.store.prisma.provider_account.findUniqueOrThrow({
      where: { id: own.accountId },
    });
    expect(ciphertext).toBeNull();
  });

  it("the tenant can be deleted a day after the hang-ups were requested, with its account's legs", async () => {
    await executeSql(harness, 'UPDATE tenant SET suspended_at = now()');
    expect(await deleteTenant(harness.store, deps.tenantId)).toBe('legs-up');
    await passTime(harness, 600);
    await reconcile(deps);
    expect(await upLegs()).toBe(2);
    expect(await deleteTenant(harness.store, deps.tenantId)).toBe('deleted');
    expect(await harness.store.prisma.leg.count()).toBe(0);
  });

  it("a leg at the platform's account still blocks the tenant", async () => {
    await executeSql(harness, 'UPDATE tenant SET suspended_at = now()');
    await executeSql(harness, 'UPDATE leg SET account_id = NULL WHERE session_id IS NOT NULL');
    await passTime(harness, 20 * DAY_SECONDS);
    expect(await deleteTenant(harness.store, deps.tenantId)).toBe('legs-up');
  });
});

it('the number starts without wrong PINs and slow mode at another account, and keeps them otherwise', async () => {
  const { prisma } = harness.store;
  const slowUntil = new Date('2099-01-01');
  await prisma.dial_in_number.update({ where: { e164: own.number }, data: { slow_until: slowUntil } });
  await prisma.pin_guess_day.create({ data: { number: own.number, day: new Date(), odds: 0.004 } });

  expect((await updateNumber(deps, own.number, { max_unadmitted: 20 })).after.slow_until).toEqual(slowUntil);
  expect(await prisma.pin_guess_day.count({ where: { number: own.number } })).toBe(1);

  expect((await updateNumber(deps, own.number, { account_id: null })).after.slow_until).toBeNull();
  expect(await prisma.pin_guess_day.count({ where: { number: own.number } })).toBe(0);
  expect((await prisma.dial_in_number.findUniqueOrThrow({ where: { e164: own.number } })).slow_until).toBeNull();
});
