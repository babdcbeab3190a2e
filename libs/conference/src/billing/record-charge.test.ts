import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verdict } from '@partyline/domain/verdict';
import { applyLegEvent } from '../legs/apply-leg-event.ts';
import { applyMediaEvent } from '../legs/apply-media-event.ts';
import { joinByPhone, joinBrowser, openRoom, type Meeting } from '../testing/meeting.ts';
import { passTime } from '../testing/pass-time.ts';
import { startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness();
});
afterAll(() => harness.close());

const LOOKED_UP = { via: 'look-up', accountId: null } as const;
const STAYED_S = 600;
const HOUR_MS = 3_600_000;
/** So much work may be in between on a busy machine. */
const SLACK_S = 300;
const MINUTE_MS = 60_000;

const recordOf = async (meeting: Meeting) => {
  const leg = await harness.store.prisma.leg.findFirstOrThrow({ where: { session_id: meeting.sessionId } });
  expect(leg.state).toBe('ended');
  return { leg, record: await harness.store.prisma.cdr.findFirstOrThrow({ where: { leg_id: leg.id } }) };
};
const expectOwnTimes = async (meeting: Meeting): Promise<void> => {
  const { leg, record } = await recordOf(meeting);
  expect(record.started_at).toEqual(leg.answered_at);
  expect(record.ended_at).toEqual(leg.ended_at);
  expect(record.seconds).toBeGreaterThanOrEqual(STAYED_S);
  expect(record.seconds).toBeLessThan(STAYED_S + SLACK_S);
};

describe('a browser whose times the vendor gives', () => {
  const deps = () => harness.deps.unified;
  /** Its end as a callback tells it: `createdAt` as it is written, and when it is told. */
  async function gone(
    meeting: Meeting,
    connectionId: string,
    createdAt: number,
    timestamp = Date.now(),
  ): Promise<void> {
    const told = {
      sessionId: meeting.mediaSessionId,
      projectId: 'p',
      event: 'connectionDestroyed',
      reason: 'clientDisconnected',
      timestamp,
      connection: { id: connectionId, createdAt, data: '' },
    };
    expect(await applyMediaEvent(deps(), LOOKED_UP, deps().media.parseCallback(told))).toBe('applied');
  }
  const stayed = async (): Promise<{ meeting: Meeting; connectionId: string }> => {
    const meeting = await openRoom(deps());
    const { connectionId } = await joinBrowser(harness, meeting);
    await passTime(harness, STAYED_S);
    return { meeting, connectionId };
  };

  it.each([
    ['in seconds instead of milliseconds', () => Math.floor(Date.now() / 1000)],
    ['as nothing', () => 0],
    ['before there was the session', () => Date.now() - HOUR_MS],
    ['in the future', () => Date.now() + HOUR_MS],
  ])('is charged for the time that we saw it, when they are %s', async (_what, createdAt) => {
    const { meeting, connectionId } = await stayed();
    await gone(meeting, connectionId, createdAt());
    const { leg, record } = await recordOf(meeting);
    expect(record.started_at).toEqual(leg.answered_at);
    expect(record.seconds).toBeGreaterThanOrEqual(STAYED_S - 1);
    expect(record.seconds).toBeLessThan(STAYED_S + SLACK_S);
  });

  it('is charged for the time that we saw it, when it is over in another year', async () => {
    const { meeting, connectionId } = await stayed();
    await gone(meeting, connectionId, Date.now() - MINUTE_MS, Date.now() + 365 * 24 * HOUR_MS);
    await expectOwnTimes(meeting);
    expect((await recordOf(meeting)).record.source).toBe('look-up');
  });

  it('is charged from when it came, though its row was made only long after', async () => {
    const meeting = await openRoom(deps());
    await passTime(harness, STAYED_S);
    const told = {
      sessionId: meeting.mediaSessionId,
      projectId: 'p',
      event: 'connectionDestroyed',
      reason: 'clientDisconnected',
      timestamp: Date.now(),
      connection: { id: 'late', createdAt: Date.now() - 5 * MINUTE_MS, data: '{"participant":null}' },
    };
    expect(await applyMediaEvent(deps(), LOOKED_UP, deps().media.parseCallback(told))).toBe('applied');
    expect((await recordOf(meeting)).record.seconds).toBe(300);
  });
});

describe('a call whose charge the vendor gives', () => {
  const over = { kind: 'call', phase: 'over', verdict: verdict('success', 'completed') } as const;
  const charged = (seconds: number | null, startedAt: Date | null) => ({
    startedAt,
    endedAt: null,
    seconds,
    rateMicro: 4_500n,
    priceMicro: 150n,
    currency: 'EUR',
  });

  it.each([
    ['more seconds than it can have been there', charged(80_000, null)],
    ['a beginning before it rang', charged(null, new Date(Date.now() - 24 * HOUR_MS))],
  ])('is over, and counts the seconds that we saw, with %s', async (_what, charge) => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps);
    const { callId } = await joinByPhone(harness, deps, meeting);
    await passTime(harness, STAYED_S);
    expect(await applyLegEvent(deps, LOOKED_UP, { ...over, callId, charge, at: null })).toBe('applied');
    await expectOwnTimes(meeting);
    expect((await recordOf(meeting)).record.price_micro).toBe(150n);
  });

  it('counts the vendor’s seconds where they can be true', async () => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps);
    const { callId } = await joinByPhone(harness, deps, meeting);
    await passTime(harness, STAYED_S);
    await applyLegEvent(deps, LOOKED_UP, { ...over, callId, charge: charged(77, null), at: null });
    expect((await recordOf(meeting)).record.seconds).toBe(77);
  });
});
