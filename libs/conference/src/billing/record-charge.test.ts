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

const LOOK_UP = { via: 'look-up', accountId: null } as const;
const DURATION_S = 600;
const HOUR_MS = 3_600_000;
/** The tolerance for a busy machine. */
const SLACK_S = 300;
const MINUTE_MS = 60_000;

const readRecord = async (meeting: Meeting) => {
  const leg = await harness.store.prisma.leg.findFirstOrThrow({ where: { session_id: meeting.sessionId } });
  expect(leg.state).toBe('ended');
  return { leg, record: await harness.store.prisma.cdr.findFirstOrThrow({ where: { leg_id: leg.id } }) };
};
const expectObservedTimes = async (meeting: Meeting): Promise<void> => {
  const { leg, record } = await readRecord(meeting);
  expect(record.started_at).toEqual(leg.answered_at);
  expect(record.ended_at).toEqual(leg.ended_at);
  expect(record.seconds).toBeGreaterThanOrEqual(DURATION_S);
  expect(record.seconds).toBeLessThan(DURATION_S + SLACK_S);
};

describe('a browser whose times the provider reports', () => {
  const deps = () => harness.deps.unified;
  /** Applies the callback of its end with these times, in milliseconds. */
  async function disconnect(
    meeting: Meeting,
    connectionId: string,
    createdAt: number,
    timestamp = Date.now(),
  ): Promise<void> {
    const callback = {
      sessionId: meeting.mediaSessionId,
      projectId: 'p',
      event: 'connectionDestroyed',
      reason: 'clientDisconnected',
      timestamp,
      connection: { id: connectionId, createdAt, data: '' },
    };
    expect(await applyMediaEvent(deps(), LOOK_UP, deps().media.parseCallback(callback))).toBe('applied');
  }
  const joinForDuration = async (): Promise<{ meeting: Meeting; connectionId: string }> => {
    const meeting = await openRoom(deps());
    const { connectionId } = await joinBrowser(harness, meeting);
    await passTime(harness, DURATION_S);
    return { meeting, connectionId };
  };

  it.each([
    ['seconds instead of milliseconds', () => Math.floor(Date.now() / 1000)],
    ['zero', () => 0],
    ['before the session', () => Date.now() - HOUR_MS],
    ['in the future', () => Date.now() + HOUR_MS],
  ])('is charged for the observed time when the reported start is %s', async (_title, createdAt) => {
    const { meeting, connectionId } = await joinForDuration();
    await disconnect(meeting, connectionId, createdAt());
    const { leg, record } = await readRecord(meeting);
    expect(record.started_at).toEqual(leg.answered_at);
    expect(record.seconds).toBeGreaterThanOrEqual(DURATION_S - 1);
    expect(record.seconds).toBeLessThan(DURATION_S + SLACK_S);
  });

  it('is charged for the observed time when the reported end is in another year', async () => {
    const { meeting, connectionId } = await joinForDuration();
    await disconnect(meeting, connectionId, Date.now() - MINUTE_MS, Date.now() + 365 * 24 * HOUR_MS);
    await expectObservedTimes(meeting);
    expect((await readRecord(meeting)).record.source).toBe('look-up');
  });

  it('is charged from its reported start when its row was created much later', async () => {
    const meeting = await openRoom(deps());
    await passTime(harness, DURATION_S);
    const callback = {
      sessionId: meeting.mediaSessionId,
      projectId: 'p',
      event: 'connectionDestroyed',
      reason: 'clientDisconnected',
      timestamp: Date.now(),
      connection: { id: 'late', createdAt: Date.now() - 5 * MINUTE_MS, data: '{"participant":null}' },
    };
    expect(await applyMediaEvent(deps(), LOOK_UP, deps().media.parseCallback(callback))).toBe('applied');
    expect((await readRecord(meeting)).record.seconds).toBe(300);
  });
});

describe('a call whose charge the provider reports', () => {
  const completed = { kind: 'call', phase: 'over', verdict: verdict('success', 'completed') } as const;
  const charged = (seconds: number | null, startedAt: Date | null) => ({
    startedAt,
    endedAt: null,
    seconds,
    rateMicro: '4500',
    priceMicro: '150.25',
    currency: 'EUR',
  });

  it.each([
    ['a duration longer than the leg existed', charged(80_000, null)],
    ['a start before the leg was created', charged(null, new Date(Date.now() - 24 * HOUR_MS))],
  ])('is charged for the observed time with %s', async (_title, charge) => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps);
    const { callId } = await joinByPhone(harness, deps, meeting);
    await passTime(harness, DURATION_S);
    expect(await applyLegEvent(deps, LOOK_UP, { ...completed, callId, charge, at: null })).toBe('applied');
    await expectObservedTimes(meeting);
    expect((await readRecord(meeting)).record.price_micro?.toString()).toBe('150.25');
  });

  it('is charged for the reported duration when it is possible', async () => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps);
    const { callId } = await joinByPhone(harness, deps, meeting);
    await passTime(harness, DURATION_S);
    await applyLegEvent(deps, LOOK_UP, { ...completed, callId, charge: charged(77, null), at: null });
    expect((await readRecord(meeting)).record.seconds).toBe(77);
  });
});
