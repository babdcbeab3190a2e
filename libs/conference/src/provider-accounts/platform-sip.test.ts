import { randomUUID } from 'node:crypto';
import { PLATFORM_SIP } from '@partyline/domain/platform-account';
import { countUnconfirmed } from '@partyline/store/reconciliation/due-work';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { answerCall } from '../callers/answer-call.ts';
import type { Deps } from '../deps.ts';
import { dialOut, requestDialOut } from '../legs/dial-out.ts';
import { updateNumber } from '../numbers/update-number.ts';
import { openProviders } from '../providers/open-providers.ts';
import { reconcile } from '../reconciliation/reconcile.ts';
import { sweepAccounts } from '../reconciliation/sweep-accounts.ts';
import { endSession } from '../sessions/end-session.ts';
import { addOwnAccount } from '../testing/add-own-account.ts';
import { addPlatformSip } from '../testing/add-platform-sip.ts';
import {
  hangUpUntilDone,
  listLegsAtProvider,
  readLegs,
  readSession,
  startMeeting,
  untilLegs,
} from '../testing/meeting.ts';
import { countHangUpRequests, passTime, resetHarness } from '../testing/pass-time.ts';
import { NUMBER, startTestHarness, type TestDeps, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
let deps: TestDeps;
let number: string;
beforeAll(async () => {
  harness = await startTestHarness();
});
beforeEach(async () => {
  await resetHarness(harness);
  deps = harness.deps.unified;
  number = await addPlatformSip(harness, deps);
});
afterAll(() => harness.close());

const ACCOUNTS = [null, PLATFORM_SIP] as const;

/** Makes the list of live calls of one account fail. */
const withFailingList = (broken: string | null): Deps => ({
  ...deps,
  providers: async (accountId) => {
    const account = await deps.providers(accountId);
    if (accountId !== broken) return account;
    return { ...account, voice: { ...account.voice, listLiveCalls: () => Promise.reject(new Error('no list')) } };
  },
});

/** Creates an orphan call at an account. */
async function createOrphanCall(accountId: string | null): Promise<string> {
  const phone = accountId === null ? '+447946371001' : '+447946371002';
  await harness.emulator.client.setPhone(phone, { mode: 'no-answer' });
  const { voice } = await deps.providers(accountId);
  const { callId } = await voice.createCall({
    to: phone,
    from: accountId === null ? NUMBER : number,
    answerUrl: `${harness.webhooksUrl}/unused`,
    eventUrl: `${harness.webhooksUrl}/unused`,
    ringingTimerS: 60,
    lengthTimerS: 60,
  });
  return callId;
}

/** Advances the time by one minute, and sweeps each account of the platform, as cleanup-worker does. */
async function sweepPlatform(at: Deps = deps) {
  await passTime(harness, 60);
  const [first, sip] = await Promise.all(ACCOUNTS.map((accountId) => sweepAccounts(at, 60_000, [accountId])));
  return { first, sip };
}

it('a room on a shared number of the SIP account has and hangs up all its legs there', async () => {
  const atFirst = await startMeeting(harness, deps);
  const meeting = await startMeeting(harness, deps, { numberWanted: { number } });
  const { legId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: '+442079460018' });
  expect(await dialOut(deps, meeting.tenantId, legId)).toBe('dialled');
  await untilLegs(harness, meeting, 'outbound', ['joined']);
  expect((await readSession(harness, meeting)).account_id).toBe(PLATFORM_SIP);
  expect((await readSession(harness, atFirst)).account_id).toBeNull();
  expect((await readLegs(harness, meeting)).map((leg) => `${leg.kind} ${leg.account_id}`).toSorted()).toEqual(
    ['bridge', 'inbound', 'outbound', 'webrtc'].map((each) => `${each} ${PLATFORM_SIP}`),
  );

  await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
  await hangUpUntilDone(harness, deps, meeting);
  expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  expect((await readSession(harness, meeting)).state).toBe('ended');
  expect((await readLegs(harness, atFirst)).map(({ state }) => state)).toEqual(['joined', 'joined', 'joined']);
  expect(harness.counters.filter((each) => each.endsWith(' tenant'))).toEqual([]);
});

it('the inventories of both accounts find their orphan calls, and no call of the other account', async () => {
  const running = await startMeeting(harness, deps, { numberWanted: { number } });
  const [atFirst, atSip] = [await createOrphanCall(null), await createOrphanCall(PLATFORM_SIP)];
  await sweepPlatform();
  expect(await sweepPlatform()).toMatchObject({
    first: { orphans: 1, missing: 0, connections: 0 },
    sip: { orphans: 1, missing: 0, connections: 0 },
  });
  expect(await countHangUpRequests(harness)).toEqual({ [atFirst]: 1, [atSip]: 1 });
  expect((await readLegs(harness, running)).map(({ state }) => state)).toEqual(['joined', 'joined', 'joined']);
  expect(harness.counters.filter((each) => each.startsWith('orphans_found'))).toEqual([
    'orphans_found platform',
    'orphans_found platform',
  ]);
});

it.each(ACCOUNTS)('a failed inventory of the account %s does not affect the other', async (broken) => {
  const calls = { first: await createOrphanCall(null), sip: await createOrphanCall(PLATFORM_SIP) };
  const [bad, good] = broken === null ? (['first', 'sip'] as const) : (['sip', 'first'] as const);
  await sweepPlatform();
  expect(await sweepPlatform(withFailingList(broken))).toMatchObject({ [bad]: { calls: 0 }, [good]: { orphans: 1 } });
  expect(await countHangUpRequests(harness)).toEqual({ [calls[good]]: 1 });
  expect(harness.counters).toContain('account_sweep_failed platform');
});

it('a caller before admission has no tenant, and counts for the platform until the end is observed', async () => {
  const callId = randomUUID();
  await answerCall(
    deps,
    { accountId: PLATFORM_SIP, jti: randomUUID(), expiresAt: new Date(Date.now() + 300_000) },
    { callId, from: '+442079461234', to: number, viaSip: false, headers: {} },
  );
  await passTime(harness, 120);
  await reconcile(deps);
  // Only a call at a tenant's account is closed when inventories lack it.
  for (let n = 0; n < 4; n++) await sweepPlatform();
  expect(await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: callId } })).toMatchObject({
    tenant_id: null,
    account_id: PLATFORM_SIP,
    tenant_account_id: null,
    state: 'ending',
    voice_missing_lists: 0,
  });
  expect(await countUnconfirmed(harness.store)).toMatchObject({ platform: { legs: 1 }, tenant: { legs: 0 } });
});

it('a number keeps the SIP account when it changes its tenant, and loses the account of a tenant', async () => {
  const own = await addOwnAccount(harness, deps);
  const change = async (e164: string, dedicated_to: string | null) =>
    (await updateNumber(deps, e164, { dedicated_to })).after.account_id;
  expect(await change(number, deps.tenantId)).toBe(PLATFORM_SIP);
  expect(await change(number, null)).toBe(PLATFORM_SIP);
  expect(await change(own.number, null)).toBeNull();
});

it('the SIP account of a platform without gateways is rejected', async () => {
  const providers = openProviders({
    store: harness.store,
    vault: deps.accounts,
    platform: deps,
    platformSip: null,
    build: () => deps,
  });
  await expect(providers(PLATFORM_SIP)).rejects.toMatchObject({
    verdict: { outcome: 'server', reason: 'sip-not-configured' },
  });
  expect((await providers(null)).voice).toBe(deps.voice);
});
