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
/** Another process' connection to the same database. */
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
/** The same account, counted by another name. */
const countedBy = (name: string) => ({ media: deps.media, voice: { ...deps.voice, rateLimitKey: name } });
const pacer = (store: Store, sleep = systemSleep) => rateLimitProviders(countedBy(ACCOUNT), { store, sleep });
const call = (phone: string) => ({
  to: phone,
  from: NUMBER,
  answerUrl: `${harness.webhooksUrl}/nowhere`,
  eventUrl: `${harness.webhooksUrl}/nowhere`,
  ringingTimerS: 60,
  lengthTimerS: 60,
});
/** A number that rings and is not answered. */
async function freshPhone(): Promise<string> {
  const phone = `+4479463${String((phones += 1)).padStart(5, '0')}`;
  await harness.emulator.client.setPhone(phone, { mode: 'no-answer' });
  return phone;
}
async function made(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) ids.push((await deps.voice.createCall(call(await freshPhone()))).callId);
  return ids;
}
/** As jobs do: who finds no place comes again when it is told. */
async function inTurn<R>(ask: () => Promise<R>): Promise<R> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const retryAfterMs = rateLimitRetryMs(error);
      if (retryAfterMs === null) throw error;
      await systemSleep(retryAfterMs);
    }
  }
}
const refused = (log: readonly RestLogEntry[]): string[] =>
  log.filter((entry) => entry.status === 429).map((entry) => entry.route);

describe('two processes that share an account whose limits are enforced', () => {
  /** Every process of ours asks for all it wants at once; answers what the vendor logged, what failed, and by how much our own timers, or whatever else this process does, were late. */
  async function rush(): Promise<{ log: readonly RestLogEntry[]; failed: number; lateMs: number }> {
    const calls = await made(30);
    const wanted = await Promise.all(Array.from({ length: 6 }, freshPhone));
    await harness.emulator.client.putConfig({ limits: { enabled: true } });
    let lateMs = 0;
    const timed = async (ms: number): Promise<void> => {
      const due = performance.now() + ms;
      await systemSleep(ms);
      lateMs = Math.max(lateMs, performance.now() - due);
    };
    const loop = monitorEventLoopDelay({ resolution: 5 });
    loop.enable();
    const pacers = [pacer(harness.store, timed), pacer(otherStore, timed)] as const;
    const of = (i: number) => pacers[i % 2 === 0 ? 0 : 1].voice;
    const after = (await harness.emulator.client.restLog()).at(-1)?.seq ?? 0;
    const settled = await Promise.allSettled([
      ...calls.map((callId, i) => inTurn(() => of(i).hangUp(callId))),
      ...Array.from({ length: 6 }, (_, i) => inTurn(() => of(i).getCall(calls[i] ?? ''))),
      of(0).listLiveCalls(),
      ...wanted.map((phone, i) => inTurn(() => of(i).createCall(call(phone)))),
    ]);
    loop.disable();
    return {
      log: await harness.emulator.client.restLog({ after }),
      failed: settled.filter((each) => each.status === 'rejected').length,
      lateMs: Math.max(lateMs, loop.max / 1_000_000),
    };
  }

  it('are never refused: thirty hang-ups, polls, lists and dials at once, all done', async () => {
    let { log, failed, lateMs } = await rush();
    // The pace allows for requests that leave a little late. What a machine does that is busy with something else says nothing about it.
    for (let again = 0; again < 20 && lateMs > 50 && refused(log).length > 0; again++) {
      await harness.emulator.client.putConfig({ limits: { enabled: false } });
      await resetHarness(harness);
      ({ log, failed, lateMs } = await rush());
    }
    expect(refused(log)).toEqual([]);
    expect(failed).toBe(0);
    expect(log.filter((entry) => entry.route === 'hangup')).toHaveLength(30);
    expect(log.filter((entry) => entry.route === 'create-call')).toHaveLength(6);
    // What the vendor counts by, with nothing left out: no second holds more than it takes.
    for (const entry of log) {
      const within = log.filter((other) => other.at > entry.at - 1_000 && other.at <= entry.at);
      expect(within.filter((other) => other.route === 'create-call').length).toBeLessThanOrEqual(3);
      expect(within.filter((other) => other.route !== 'create-call').length).toBeLessThanOrEqual(15);
    }
  }, 240_000);

  it('are refused without the pace: the limits of the emulator bite', async () => {
    const calls = await made(30);
    await harness.emulator.client.putConfig({ limits: { enabled: true } });
    // Again and again: a machine that is busy may take a while to ask so much in one second.
    await expect
      .poll(async () => {
        await Promise.allSettled(calls.map((callId) => deps.voice.hangUp(callId)));
        return refused(await harness.emulator.client.restLog()).length;
      })
      .toBeGreaterThanOrEqual(10);
  });
});

/** A pacer that does not wait, but notes how long it would have. */
function impatient(): { waits: number[]; providers: ReturnType<typeof pacer> } {
  const waits: number[] = [];
  return { waits, providers: pacer(harness.store, async (ms) => void waits.push(ms)) };
}

describe('a hang-up', () => {
  it('does not wait behind polls, lists or dials, however many', async () => {
    const [callId = ''] = await made(1);
    for (const lane of ['ask', 'dial'])
      await reserveSlot(harness.store, ACCOUNT, lane, { intervalMs: 60_000, maxWaitMs: 1 });
    const { waits, providers } = impatient();
    for (const full of [
      () => providers.voice.getCall(callId),
      () => providers.voice.listLiveCalls(),
      async () => providers.voice.createCall(call(await freshPhone())),
    ]) {
      await expect(full()).rejects.toMatchObject({ failure: 'busy' });
    }
    await providers.voice.hangUp(callId);
    // A place is on a whole millisecond.
    expect(Math.max(0, ...waits)).toBeLessThan(2);
    expect((await harness.emulator.client.ledger({ callId })).up).toBe(0);
  });

  it('waits behind other hang-ups', async () => {
    let waits: number[] = [];
    // Until one comes while the other still has its place: on a machine that is busy that may be over before.
    await expect
      .poll(async () => {
        const [callId = ''] = await made(1);
        await reserveSlot(harness.store, ACCOUNT, 'hang-up', { intervalMs: 3_500, maxWaitMs: 1 });
        const line = impatient();
        await line.providers.voice.hangUp(callId);
        waits = line.waits;
        return waits.length;
      })
      .toBe(1);
    expect(waits[0]).toBeGreaterThan(0);
    expect(waits[0]).toBeLessThanOrEqual(3_500);
  });
});

describe('the list of live calls', () => {
  it('takes a place for each page, and gets one when questions no longer do', async () => {
    await made(1);
    let places = 0;
    const query: Store['query'] = (scope, asked) => (
      (places += asked.name === 'reserve-slot' ? 1 : 0),
      harness.store.query(scope, asked)
    );
    const counting = { ...harness.store, query };
    await rateLimitProviders(countedBy(ACCOUNT), {
      store: counting,
      sleep: async () => undefined,
    }).voice.listLiveCalls();
    expect((await harness.emulator.client.restLog({ route: 'list-calls' })).length).toBe(3);
    expect(places).toBe(3);
    await reserveSlot(harness.store, ACCOUNT, 'ask', { intervalMs: 7_000, maxWaitMs: 5_000 });
    const { providers } = impatient();
    await expect(providers.voice.getCall('call')).rejects.toMatchObject({
      verdict: { reason: 'provider-rate-limited' },
    });
    expect(await providers.voice.listLiveCalls()).toHaveLength(1);
  });
});

describe('when the line is too long', () => {
  it.each([
    { lane: 'hang-up', ask: (voice: TestDeps['voice']) => voice.hangUp('call') },
    { lane: 'ask', ask: (voice: TestDeps['voice']) => voice.getCall('call') },
    { lane: 'ask', ask: (voice: TestDeps['voice']) => voice.mute('call', true) },
    { lane: 'ask', ask: (voice: TestDeps['voice']) => voice.listLiveCalls() },
    { lane: 'dial', ask: (voice: TestDeps['voice']) => voice.createCall(call('+447946399999')) },
  ])('nothing is sent, and the answer is busy, paced, and when to come again ($lane)', async ({ lane, ask }) => {
    await reserveSlot(harness.store, ACCOUNT, lane, { intervalMs: 60_000, maxWaitMs: 1 });
    const before = (await harness.emulator.client.restLog()).length;
    const { providers, waits } = impatient();
    await expect(ask(providers.voice)).rejects.toMatchObject({
      failure: 'busy',
      verdict: { reason: 'provider-rate-limited' },
      retryAfterMs: expect.any(Number),
    });
    expect((await harness.emulator.client.restLog()).length).toBe(before);
    expect(waits).toEqual([]);
    // And it took no place: a minute later the line is free.
    await passTime(harness, 61);
    await ask(providers.voice).catch(() => undefined);
    expect((await harness.emulator.client.restLog()).length).toBeGreaterThan(before);
  });

  it('a bridge is not dialled either; another account’s line is its own', async () => {
    await reserveSlot(harness.store, ACCOUNT, 'dial', { intervalMs: 60_000, maxWaitMs: 1 });
    const meeting = await openRoom(deps);
    const dial = {
      mediaSessionId: meeting.mediaSessionId,
      number: NUMBER,
      headers: {},
      data: '',
      expiresAt: new Date(Date.now() + 60_000),
    };
    await expect(impatient().providers.media.dialSip(dial)).rejects.toMatchObject({
      failure: 'busy',
      verdict: { reason: 'provider-rate-limited' },
    });
    expect(await harness.emulator.client.restLog({ route: 'dial' })).toEqual([]);
    await rateLimitProviders(countedBy('another'), { store: harness.store, sleep: systemSleep }).media.dialSip(dial);
    expect(await harness.emulator.client.restLog({ route: 'dial' })).toHaveLength(1);
  });

  it('a tenant’s line is its own, whatever its account says that the vendor counts it by: it fills neither the platform’s nor another tenant’s', async () => {
    const lineOf = (tenantId: string | null) =>
      rateLimitProviders(countedBy(ACCOUNT), {
        store: harness.store,
        sleep: async () => undefined,
        tenantId,
      }).voice.getCall('call');
    await reserveSlot(harness.store, `ten_a ${ACCOUNT}`, 'ask', { intervalMs: 60_000, maxWaitMs: 1 });
    await expect(lineOf('ten_a')).rejects.toMatchObject({ verdict: { reason: 'provider-rate-limited' } });
    for (const other of [null, 'ten_b']) expect(await lineOf(other)).toBeNull();
  });

  it('a leg’s hang-up stays owed, and is asked when there is a place', async () => {
    const meeting = await openRoom(deps);
    await joinByPhone(harness, deps, meeting);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await reserveSlot(harness.store, ACCOUNT, 'hang-up', { intervalMs: 60_000, maxWaitMs: 1 });
    const paced = withProviders(deps, pacer(harness.store));
    const [leg] = await readLegs(harness, meeting);
    expect(await hangUpLeg(paced, deps.tenantId, leg?.id ?? '')).toEqual({ retryAfterMs: 15_000 });
    expect(await harness.emulator.client.restLog({ route: 'hangup' })).toEqual([]);
    await passTime(harness, 61);
    await hangUpLeg(paced, deps.tenantId, leg?.id ?? '');
    await untilLegs(harness, meeting, 'inbound', ['ended']);
  });
});
