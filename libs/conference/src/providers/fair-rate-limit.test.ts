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
let world: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  world = harness.deps.unified;
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

/** A provider that does whatever it is asked, in a line that notes how long each had to wait and does not wait. */
function openLine() {
  const waits: number[] = [];
  const hungUp: string[] = [];
  const voice = {
    ...world.voice,
    rateLimitKey: 'account',
    hangUp: async (callId: string) => void hungUp.push(callId),
    getCall: async () => null,
    mute: async () => undefined,
    createCall: async () => ({ callId: 'made' }),
  };
  const media = { ...world.media, dialSip: async () => ({ connectionId: 'made', callId: null }) };
  const paced = rateLimitProviders({ voice, media } as never, {
    store: harness.store,
    sleep: async (ms) => void waits.push(ms),
  });
  const of = (tenantId: string | null, to?: 'hang-up' | 'sweep') =>
    applyRequestContext(paced, { tenantId, ...(to === undefined ? {} : { purpose: to }) });
  const deps: TestDeps = { ...world, providers: async (_accountId, asker) => applyRequestContext(paced, asker) };
  return { waits, hungUp, of, deps };
}
const many = <R>(count: number, ask: () => Promise<R>): Promise<(R | Error)[]> =>
  Promise.all(Array.from({ length: count }, () => ask().catch((error: Error) => error)));
const refused = (answers: readonly unknown[]): number =>
  answers.filter((answer) => rateLimitRetryMs(answer) !== null).length;
const call = { to: NUMBER, from: NUMBER, answerUrl: '', eventUrl: '', ringingTimerS: 1, lengthTimerS: 1 };
const dial = { mediaSessionId: '', number: NUMBER, headers: {}, data: '', expiresAt: new Date() };

describe('a tenant that wants very much of the account that it shares', () => {
  it('is given what is near and told to come again for the rest; another has a place at once, for the same thing', async () => {
    for (const ask of [
      (who: ReturnType<ReturnType<typeof openLine>['of']>) => who.voice.mute('call', true),
      (who: ReturnType<ReturnType<typeof openLine>['of']>) => who.voice.hangUp('call'),
      (who: ReturnType<ReturnType<typeof openLine>['of']>) => who.voice.createCall(call),
      (who: ReturnType<ReturnType<typeof openLine>['of']>) => who.media.dialSip(dial),
    ]) {
      const { of } = openLine();
      expect(refused(await many(60, async () => ask(of('ten_greedy'))))).toBeGreaterThan(20);
      expect(refused(await many(1, async () => ask(of('ten_modest'))))).toBe(0);
      await passTime(harness, 60);
    }
  });

  it('who looks at everything keeps no hang-up from being seen done, and no inventory from its pages', async () => {
    const { of, waits } = openLine();
    expect(refused(await many(60, () => of('ten_greedy').voice.getCall('call')))).toBeGreaterThan(20);
    waits.length = 0;
    await of('ten_modest', 'hang-up').voice.getCall('call');
    // A place is on a whole millisecond.
    expect(Math.max(0, ...waits)).toBeLessThan(2);
    expect(refused(await many(3, () => of(null, 'sweep').voice.getCall('call')))).toBe(0);
  });

  it('who rings many keeps no bridge waiting for longer than a few of them', async () => {
    const { of, waits } = openLine();
    for (const tenantId of ['ten_a', 'ten_b', 'ten_c', 'ten_d', 'ten_e'])
      await many(40, () => of(tenantId).voice.createCall(call));
    waits.length = 0;
    await of('ten_modest').media.dialSip(dial);
    expect(Math.max(0, ...waits)).toBeLessThan(2_000);
  });
});

describe('many legs that are to be hung up at once', () => {
  it('wait in their rows and in nobody’s hands, uncounted, and are asked for one by one as their turn comes', async () => {
    const meeting = await openRoom(world, { max_participants: 50 });
    await executeSql(
      harness,
      `INSERT INTO leg (id, tenant_id, session_id, kind, role, state, number, remote, voice_call_id, deadline_at, answered_at, joined_at)
      SELECT 'leg_' || g, $2, $1, 'inbound', 'participant', 'joined', '${NUMBER}', '+447700900001', 'CALL' || g, now() + interval '1 hour', now(), now() FROM generate_series(1, 40) g`,
      [meeting.sessionId, meeting.tenantId],
    );
    await endSession(world, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    const { deps, hungUp, of, waits } = openLine();
    const legs = await readLegs(harness, meeting);
    const begun = performance.now();
    const answers = await Promise.all(legs.map(({ id }) => hangUpLeg(deps, meeting.tenantId, id)));
    // What is within 0.6 s, and what comes to be while this runs.
    expect(hungUp.length).toBeLessThanOrEqual(7 + (performance.now() - begun) / HANG_UP_INTERVAL_MS);
    expect(Math.max(...waits)).toBeLessThanOrEqual(601);
    expect(
      answers.every((answer) => typeof answer === 'object' && answer.retryAfterMs > 0 && answer.retryAfterMs <= 15_000),
    ).toBe(true);
    const waiting = (await readLegs(harness, meeting)).filter((leg) => !hungUp.includes(leg.voice_call_id ?? ''));
    expect(waiting.map(({ hangup_attempts }) => hangup_attempts)).toEqual(waiting.map(() => 0));
    expect(waiting.every(({ lease_until }) => lease_until !== null)).toBe(true);
    // Another tenant's is asked for at once meanwhile.
    waits.length = 0;
    await of('ten_other', 'hang-up').voice.hangUp('other');
    expect(Math.max(0, ...waits)).toBeLessThanOrEqual(600 + 2 * HANG_UP_INTERVAL_MS);
    for (let round = 0; round < 40 && hungUp.length < 41; round++) {
      await passTime(harness, 15);
      await Promise.all(
        legs
          .filter(({ voice_call_id }) => !hungUp.includes(voice_call_id ?? ''))
          .map(({ id }) => hangUpLeg(deps, meeting.tenantId, id)),
      );
    }
    expect(new Set(hungUp).size).toBe(41);
    expect(hungUp).toHaveLength(41);
    const attempts = await harness.store.prisma.hang_up_attempt.findMany();
    expect(attempts.map(({ no, outcome }) => [no, outcome])).toEqual(Array.from({ length: 40 }, () => [1, 'accepted']));
  });
});
