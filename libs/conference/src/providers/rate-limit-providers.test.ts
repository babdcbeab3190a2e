import { monitorEventLoopDelay } from 'node:perf_hooks';
import { openStore, type Store } from '@partyline/store/database/store';
import { reserveSlot } from '@partyline/store/providers/rate-limit';
import { systemSleep } from '@partyline/runtime/system';
import type { RestLogEntry } from '@partyline/vonage-emulator/control-client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { endSession } from '../sessions/end-session.ts';
import { hangUpLeg } from '../hang-ups/hang-up-leg.ts';
import { rateLimitRetryMs, rateLimitProviders } from './rate-limit-providers.ts';
import { joinByPhone, openRoom, readLegs, untilLegs } from '../testing/meeting.ts';
import { passTime, resetHarness } from '../testing/pass-time.ts';
import { NUMBER, startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';
import { withProviders } from '../testing/with-providers.ts';

let harness: TestHarness;
let deps: TestDeps;
/** The store of a second process on the same database. */
let otherStore: Store;
let phones = 0;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
  otherStore = openStore({
    owner: true,
    url: String(harness.store.pool.options.connectionString),
    max: 8,
    onError: () => undefined,
  });
});
beforeEach(async () => {
  await harness.emulator.client.putConfig({ limits: { enabled: false } });
  await resetHarness(harness);
});
afterAll(async () => {
  await otherStore.close();
  await harness.close();
});

const ACCOUNT = 'account';
/** The providers of the platform's account with another rate limit key. */
const withRateLimitKey = (name: string) => ({ media: deps.media, voice: { ...deps.voice, rateLimitKey: name } });
const rateLimited = (store: Store, sleep = systemSleep) =>
  rateLimitProviders(withRateLimitKey(ACCOUNT), { store, sleep });
const call = (phone: string) => ({
  to: phone,
  from: NUMBER,
  answerUrl: `${harness.webhooksUrl}/unused`,
  eventUrl: `${harness.webhooksUrl}/unused`,
  ringingTimerS: 60,
  lengthTimerS: 60,
});
/** Creates a phone that rings and does not answer. */
async function createPhone(): Promise<string> {
  const phone = `+4479463${String((phones += 1)).padStart(5, '0')}`;
  await harness.emulator.client.setPhone(phone, { mode: 'no-answer' });
  return phone;
}
async function createCalls(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) ids.push((await deps.voice.createCall(call(await createPhone()))).callId);
  return ids;
}
/** Retries a request after the given delay, as jobs do. */
async function retryWhenLimited<R>(request: () => Promise<R>): Promise<R> {
  for (;;) {
    try {
      return await request();
    } catch (error) {
      const retryAfterMs = rateLimitRetryMs(error);
      if (retryAfterMs === null) throw error;
      await systemSleep(retryAfterMs);
    }
  }
}
const listRejected = (log: readonly RestLogEntry[]): string[] =>
  log.filter((entry) => entry.status === 429).map((entry) => entry.route);

describe('two processes that share an account with enforced limits', () => {
  /**
   * Sends all requests of both processes at once. Returns the emulator's log, the number of
   * failures, and the delay of this process's timers and event loop in milliseconds.
   */
  async function sendAll(): Promise<{ log: readonly RestLogEntry[]; failed: number; lateMs: number }> {
    const calls = await createCalls(30);
    const phonesToDial = await Promise.all(Array.from({ length: 6 }, createPhone));
    await harness.emulator.client.putConfig({ limits: { enabled: true } });
    let lateMs = 0;
    const timedSleep = async (ms: number): Promise<void> => {
      const due = performance.now() + ms;
      await systemSleep(ms);
      lateMs = Math.max(lateMs, performance.now() - due);
    };
    const loop = monitorEventLoopDelay({ resolution: 5 });
    loop.enable();
    const processes = [rateLimited(harness.store, timedSleep), rateLimited(otherStore, timedSleep)] as const;
    const voiceOf = (i: number) => processes[i % 2 === 0 ? 0 : 1].voice;
    const after = (await harness.emulator.client.restLog()).at(-1)?.seq ?? 0;
    const settled = await Promise.allSettled([
      ...calls.map((callId, i) => retryWhenLimited(() => voiceOf(i).hangUp(callId))),
      ...Array.from({ length: 6 }, (_, i) => retryWhenLimited(() => voiceOf(i).getCall(calls[i] ?? ''))),
      voiceOf(0).listLiveCalls(),
      ...phonesToDial.map((phone, i) => retryWhenLimited(() => voiceOf(i).createCall(call(phone)))),
    ]);
    loop.disable();
    return {
      log: await harness.emulator.client.restLog({ after }),
      failed: settled.filter((result) => result.status === 'rejected').length,
      lateMs: Math.max(lateMs, loop.max / 1_000_000),
    };
  }

  it('complete hang-ups, look-ups, lists and dials at once without a rejection', async () => {
    let { log, failed, lateMs } = await sendAll();
    // The rate limit allows for requests that leave a little late. A round on a busy machine proves
    // nothing.
    for (let retries = 0; retries < 20 && lateMs > 50 && listRejected(log).length > 0; retries++) {
      await harness.emulator.client.putConfig({ limits: { enabled: false } });
      await resetHarness(harness);
      ({ log, failed, lateMs } = await sendAll());
    }
    expect(listRejected(log)).toEqual([]);
    expect(failed).toBe(0);
    expect(log.filter((entry) => entry.route === 'hangup')).toHaveLength(30);
    expect(log.filter((entry) => entry.route === 'create-call')).toHaveLength(6);
    // The provider counts every request, so no second may hold more than its limit.
    for (const entry of log) {
      const within = log.filter((other) => other.at > entry.at - 1_000 && other.at <= entry.at);
      expect(within.filter((other) => other.route === 'create-call').length).toBeLessThanOrEqual(3);
      expect(within.filter((other) => other.route !== 'create-call').length).toBeLessThanOrEqual(15);
    }
  }, 240_000);

  it('are rejected without rate limiting, so the limits of the emulator are effective', async () => {
    const calls = await createCalls(30);
    await harness.emulator.client.putConfig({ limits: { enabled: true } });
    // Repeated, because a busy machine may not send enough requests within one second.
    await expect
      .poll(async () => {
        await Promise.allSettled(calls.map((callId) => deps.voice.hangUp(callId)));
        return listRejected(await harness.emulator.client.restLog()).length;
      })
      .toBeGreaterThanOrEqual(10);
  });
});

it('sends the requests of a provider without a rate limit at once', async () => {
  const waits: number[] = [];
  const voice = { ...deps.voice, rateLimitKey: null, getCall: async () => null };
  const providers = rateLimitProviders(
    { media: deps.media, voice },
    { store: harness.store, sleep: async (ms) => void waits.push(ms) },
  );
  await Promise.all(Array.from({ length: 100 }, (_, i) => providers.voice.getCall(`call-${i}`)));
  expect(waits).toEqual([]);
});

/** Rate-limited providers that record the waits instead of waiting. */
function withoutWaiting(): { waits: number[]; providers: ReturnType<typeof rateLimited> } {
  const waits: number[] = [];
  return { waits, providers: rateLimited(harness.store, async (ms) => void waits.push(ms)) };
}

describe('the slot of a hang-up', () => {
  it('is not delayed by look-ups, lists or dials', async () => {
    const [callId = ''] = await createCalls(1);
    for (const lane of ['request', 'dial'])
      await reserveSlot(harness.store, ACCOUNT, lane, { intervalMs: 60_000, maxWaitMs: 1 });
    const { waits, providers } = withoutWaiting();
    for (const request of [
      () => providers.voice.getCall(callId),
      () => providers.voice.listLiveCalls(),
      async () => providers.voice.createCall(call(await createPhone())),
    ]) {
      await expect(request()).rejects.toMatchObject({ failure: 'busy' });
    }
    await providers.voice.hangUp(callId);
    // Slots are rounded to whole milliseconds.
    expect(Math.max(0, ...waits)).toBeLessThan(2);
    expect((await harness.emulator.client.ledger({ callId })).up).toBe(0);
  });

  it('is delayed by other hang-ups', async () => {
    let waits: number[] = [];
    // Repeated until the second hang-up starts before the slot of the first has passed.
    await expect
      .poll(async () => {
        const [callId = ''] = await createCalls(1);
        await reserveSlot(harness.store, ACCOUNT, 'hang-up', { intervalMs: 3_500, maxWaitMs: 1 });
        const limited = withoutWaiting();
        await limited.providers.voice.hangUp(callId);
        waits = limited.waits;
        return waits.length;
      })
      .toBe(1);
    expect(waits[0]).toBeGreaterThan(0);
    expect(waits[0]).toBeLessThanOrEqual(3_500);
  });
});

describe('the list of live calls', () => {
  it('uses one slot per page, and waits longer for a slot than other requests', async () => {
    await createCalls(1);
    let slots = 0;
    const query: Store['query'] = (scope, statement) => (
      (slots += statement.name === 'reserve-slot' ? 1 : 0),
      harness.store.query(scope, statement)
    );
    const counting = { ...harness.store, query };
    await rateLimitProviders(withRateLimitKey(ACCOUNT), {
      store: counting,
      sleep: async () => undefined,
    }).voice.listLiveCalls();
    expect((await harness.emulator.client.restLog({ route: 'list-calls' })).length).toBe(3);
    expect(slots).toBe(3);
    await reserveSlot(harness.store, ACCOUNT, 'request', { intervalMs: 7_000, maxWaitMs: 5_000 });
    const { providers } = withoutWaiting();
    await expect(providers.voice.getCall('call')).rejects.toMatchObject({
      verdict: { reason: 'provider-rate-limited' },
    });
    expect(await providers.voice.listLiveCalls()).toHaveLength(1);
  });
});

describe('without a near slot', () => {
  it.each([
    { lane: 'hang-up', request: (voice: TestDeps['voice']) => voice.hangUp('call') },
    { lane: 'request', request: (voice: TestDeps['voice']) => voice.getCall('call') },
    { lane: 'request', request: (voice: TestDeps['voice']) => voice.mute('call', true) },
    { lane: 'request', request: (voice: TestDeps['voice']) => voice.listLiveCalls() },
    { lane: 'dial', request: (voice: TestDeps['voice']) => voice.createCall(call('+447946399999')) },
  ])('sends nothing, and fails as busy with a retry time ($lane)', async ({ lane, request }) => {
    await reserveSlot(harness.store, ACCOUNT, lane, { intervalMs: 60_000, maxWaitMs: 1 });
    const before = (await harness.emulator.client.restLog()).length;
    const { providers, waits } = withoutWaiting();
    await expect(request(providers.voice)).rejects.toMatchObject({
      failure: 'busy',
      verdict: { reason: 'provider-rate-limited' },
      retryAfterMs: expect.any(Number),
    });
    expect((await harness.emulator.client.restLog()).length).toBe(before);
    expect(waits).toEqual([]);
    // The failed request used no slot, so a minute later one is free.
    await passTime(harness, 61);
    await request(providers.voice).catch(() => undefined);
    expect((await harness.emulator.client.restLog()).length).toBeGreaterThan(before);
  });

  it('does not dial a bridge, and does not delay another account', async () => {
    await reserveSlot(harness.store, ACCOUNT, 'dial', { intervalMs: 60_000, maxWaitMs: 1 });
    const meeting = await openRoom(deps);
    const dial = {
      mediaSessionId: meeting.mediaSessionId,
      number: NUMBER,
      headers: {},
      data: '',
      expiresAt: new Date(Date.now() + 60_000),
    };
    await expect(withoutWaiting().providers.media.dialSip(dial)).rejects.toMatchObject({
      failure: 'busy',
      verdict: { reason: 'provider-rate-limited' },
    });
    expect(await harness.emulator.client.restLog({ route: 'dial' })).toEqual([]);
    await rateLimitProviders(withRateLimitKey('another'), { store: harness.store, sleep: systemSleep }).media.dialSip(
      dial,
    );
    expect(await harness.emulator.client.restLog({ route: 'dial' })).toHaveLength(1);
  });

  it('does not delay the platform or another tenant whose account has the same rate limit key', async () => {
    const lookUp = (tenantId: string | null) =>
      rateLimitProviders(withRateLimitKey(ACCOUNT), {
        store: harness.store,
        sleep: async () => undefined,
        tenantId,
      }).voice.getCall('call');
    await reserveSlot(harness.store, `ten_a ${ACCOUNT}`, 'request', { intervalMs: 60_000, maxWaitMs: 1 });
    await expect(lookUp('ten_a')).rejects.toMatchObject({ verdict: { reason: 'provider-rate-limited' } });
    for (const other of [null, 'ten_b']) expect(await lookUp(other)).toBeNull();
  });

  it('keeps a hang-up requested, and sends it when a slot is free', async () => {
    const meeting = await openRoom(deps);
    await joinByPhone(harness, deps, meeting);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await reserveSlot(harness.store, ACCOUNT, 'hang-up', { intervalMs: 60_000, maxWaitMs: 1 });
    const limitedDeps = withProviders(deps, rateLimited(harness.store));
    const [leg] = await readLegs(harness, meeting);
    expect(await hangUpLeg(limitedDeps, deps.tenantId, leg?.id ?? '')).toEqual({ retryAfterMs: 15_000 });
    expect(await harness.emulator.client.restLog({ route: 'hangup' })).toEqual([]);
    await passTime(harness, 61);
    await hangUpLeg(limitedDeps, deps.tenantId, leg?.id ?? '');
    await untilLegs(harness, meeting, 'inbound', ['ended']);
  });
});
