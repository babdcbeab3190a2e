import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { endSession } from '../sessions/end-session.ts';
import { hangUpLeg } from '../hang-ups/hang-up-leg.ts';
import {
  rateLimitRetryMs,
  applyRequestContext,
  HANG_UP_INTERVAL_MS,
  rateLimitProviders,
} from './rate-limit-providers.ts';
import { executeSql, openRoom, readLegs } from '../testing/meeting.ts';
import { passTime, resetHarness } from '../testing/pass-time.ts';
import { NUMBER, startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

/**
 * Creates rate-limited providers that accept every request, and that record the waits instead of
 * waiting.
 */
function createRateLimitedProviders() {
  const waits: number[] = [];
  const hungUp: string[] = [];
  const voice = {
    ...deps.voice,
    rateLimitKey: 'account',
    hangUp: async (callId: string) => void hungUp.push(callId),
    getCall: async () => null,
    mute: async () => undefined,
    createCall: async () => ({ callId: 'created' }),
  };
  const media = { ...deps.media, dialSip: async () => ({ connectionId: 'created', callId: null }) };
  const providers = rateLimitProviders({ voice, media } as never, {
    store: harness.store,
    sleep: async (ms) => void waits.push(ms),
  });
  const providersFor = (tenantId: string | null, purpose?: 'hang-up' | 'sweep') =>
    applyRequestContext(providers, { tenantId, ...(purpose === undefined ? {} : { purpose }) });
  const limitedDeps: TestDeps = {
    ...deps,
    providers: async (_accountId, context) => applyRequestContext(providers, context),
  };
  return { waits, hungUp, providersFor, limitedDeps };
}
const repeat = <R>(count: number, request: () => Promise<R>): Promise<(R | Error)[]> =>
  Promise.all(Array.from({ length: count }, () => request().catch((error: Error) => error)));
const countRejected = (results: readonly unknown[]): number =>
  results.filter((result) => rateLimitRetryMs(result) !== null).length;
const call = { to: NUMBER, from: NUMBER, answerUrl: '', eventUrl: '', ringingTimerS: 1, lengthTimerS: 1 };
const dial = { mediaSessionId: '', number: NUMBER, headers: {}, data: '', expiresAt: new Date() };

describe('a tenant that sends many requests to a shared account', () => {
  it('gets near slots and retry times for the rest, while another tenant gets a slot at once', async () => {
    for (const request of [
      (providers: ReturnType<ReturnType<typeof createRateLimitedProviders>['providersFor']>) =>
        providers.voice.mute('call', true),
      (providers: ReturnType<ReturnType<typeof createRateLimitedProviders>['providersFor']>) =>
        providers.voice.hangUp('call'),
      (providers: ReturnType<ReturnType<typeof createRateLimitedProviders>['providersFor']>) =>
        providers.voice.createCall(call),
      (providers: ReturnType<ReturnType<typeof createRateLimitedProviders>['providersFor']>) =>
        providers.media.dialSip(dial),
    ]) {
      const { providersFor } = createRateLimitedProviders();
      expect(countRejected(await repeat(60, async () => request(providersFor('ten_busy'))))).toBeGreaterThan(20);
      expect(countRejected(await repeat(1, async () => request(providersFor('ten_idle'))))).toBe(0);
      await passTime(harness, 60);
    }
  });

  it('does not delay confirmations and inventories with its look-ups', async () => {
    const { providersFor, waits } = createRateLimitedProviders();
    expect(countRejected(await repeat(60, () => providersFor('ten_busy').voice.getCall('call')))).toBeGreaterThan(20);
    waits.length = 0;
    await providersFor('ten_idle', 'hang-up').voice.getCall('call');
    // Slots are rounded to whole milliseconds.
    expect(Math.max(0, ...waits)).toBeLessThan(2);
    expect(countRejected(await repeat(3, () => providersFor(null, 'sweep').voice.getCall('call')))).toBe(0);
  });

  it('does not delay the bridge of another tenant by more than a few of its dial-outs', async () => {
    const { providersFor, waits } = createRateLimitedProviders();
    for (const tenantId of ['ten_a', 'ten_b', 'ten_c', 'ten_d', 'ten_e'])
      await repeat(40, () => providersFor(tenantId).voice.createCall(call));
    waits.length = 0;
    await providersFor('ten_idle').media.dialSip(dial);
    expect(Math.max(0, ...waits)).toBeLessThan(2_000);
  });
});

describe('the hang-up of many legs at once', () => {
  it('reschedules legs without a slot, counts no attempt for them, and hangs up all legs in time', async () => {
    const meeting = await openRoom(deps, { max_participants: 50 });
    await executeSql(
      harness,
      `INSERT INTO leg (
         id, tenant_id, session_id, kind, role, state, number, remote, voice_call_id, deadline_at, answered_at,
         joined_at
       )
       SELECT 'leg_' || g, $2, $1, 'inbound', 'participant', 'joined', '${NUMBER}', '+447700900001', 'CALL' || g,
              now() + interval '1 hour', now(), now()
       FROM generate_series(1, 40) g`,
      [meeting.sessionId, meeting.tenantId],
    );
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    const { limitedDeps, hungUp, providersFor, waits } = createRateLimitedProviders();
    const legs = await readLegs(harness, meeting);
    const startedAt = performance.now();
    const results = await Promise.all(legs.map(({ id }) => hangUpLeg(limitedDeps, meeting.tenantId, id)));
    // The slots within 0.6 s, and those that become free while the requests run.
    expect(hungUp.length).toBeLessThanOrEqual(7 + (performance.now() - startedAt) / HANG_UP_INTERVAL_MS);
    expect(Math.max(...waits)).toBeLessThanOrEqual(601);
    expect(
      results.every((result) => typeof result === 'object' && result.retryAfterMs > 0 && result.retryAfterMs <= 15_000),
    ).toBe(true);
    const waiting = (await readLegs(harness, meeting)).filter((leg) => !hungUp.includes(leg.voice_call_id ?? ''));
    expect(waiting.map(({ hangup_attempts }) => hangup_attempts)).toEqual(waiting.map(() => 0));
    expect(waiting.every(({ lease_until }) => lease_until !== null)).toBe(true);
    // Another tenant's hang-up is sent at once in the meantime.
    waits.length = 0;
    await providersFor('ten_other', 'hang-up').voice.hangUp('other');
    expect(Math.max(0, ...waits)).toBeLessThanOrEqual(600 + 2 * HANG_UP_INTERVAL_MS);
    for (let round = 0; round < 40 && hungUp.length < 41; round++) {
      await passTime(harness, 15);
      await Promise.all(
        legs
          .filter(({ voice_call_id }) => !hungUp.includes(voice_call_id ?? ''))
          .map(({ id }) => hangUpLeg(limitedDeps, meeting.tenantId, id)),
      );
    }
    expect(new Set(hungUp).size).toBe(41);
    expect(hungUp).toHaveLength(41);
    const attempts = await harness.store.prisma.hang_up_attempt.findMany();
    expect(attempts.map(({ no, outcome }) => [no, outcome])).toEqual(Array.from({ length: 40 }, () => [1, 'accepted']));
  });
});
