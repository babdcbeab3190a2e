import { randomUUID } from 'node:crypto';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hangUpSession } from '../hang-ups/hang-up-session.ts';
import { reconcile } from '../reconciliation/reconcile.ts';
import { sweepInventory } from '../reconciliation/sweep-inventory.ts';
import { endSession } from '../sessions/end-session.ts';
import {
  executeSql,
  hangUpUntilDone,
  joinBrowser,
  listLegsAtProvider,
  readLegs,
  readSession,
  startMeeting,
  untilLegs,
  untilWebhooksDone,
} from '../testing/meeting.ts';
import { issueToken } from '../participants/issue-token.ts';
import { removeParticipant } from '../participants/remove-participant.ts';
import { countHangUpRequests, passTime, reconcileUntilQuiet, resetHarness } from '../testing/pass-time.ts';
import { MEDIA_KINDS, startTestHarness, type TestDeps, type TestHarness } from '../testing/test-harness.ts';
import { withProviders } from '../testing/with-providers.ts';
import { applyLegEvent } from './apply-leg-event.ts';
import { applyMediaEvent } from './apply-media-event.ts';
import { dialOut, requestDialOut } from './dial-out.ts';

/* The provider says that a connection or a call is over, and it is not. */

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness();
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

type Meeting = Awaited<ReturnType<typeof startMeeting>>;
const token = () => ({ accountId: null, jti: randomUUID(), expiresAt: new Date(Date.now() + 300_000) });
const callback = () => ({ via: 'callback', token: token() }) as const;

async function reportBrowserGone(deps: TestDeps, { mediaSessionId, browser }: Meeting): Promise<void> {
  const { connectionId } = browser;
  await applyMediaEvent(deps, callback(), {
    kind: 'disconnected',
    mediaSessionId,
    connectionId,
    data: '',
    reason: 'clientDisconnected',
    at: new Date(),
  });
}
const reportCallOver = (deps: TestDeps, callId: string) =>
  applyLegEvent(deps, callback(), {
    kind: 'call',
    callId,
    phase: 'over',
    at: new Date(),
    charge: { priceMicro: '500', rateMicro: null, seconds: 3, currency: 'EUR', startedAt: null, endedAt: null },
  });
const statesOf = async (meeting: Meeting, kind: 'webrtc' | 'inbound') =>
  (await readLegs(harness, meeting, kind)).map(({ state }) => state);
const job = (deps: TestDeps, { tenantId, sessionId }: Meeting) => hangUpSession(deps, tenantId, sessionId);
const charges = async (meeting: Meeting, handle: 'media' | 'voice', direction: string) =>
  harness.store.prisma.cdr.findMany({ where: { session_id: meeting.sessionId, handle, direction } });
/** Ends the meeting, and returns the records of one kind of leg. */
async function endAndCharge(deps: TestDeps, meeting: Meeting, handle: 'media' | 'voice', direction: string) {
  await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
  await hangUpUntilDone(harness, deps, meeting);
  expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  return charges(meeting, handle, direction);
}
const reopened = (kind: string) => harness.counters.filter((each) => each === `leg_reopened ${kind} platform`).length;

describe.each(MEDIA_KINDS)('a browser that a callback reports as gone and that is connected (%s)', (kind) => {
  let deps: TestDeps;
  beforeEach(() => {
    deps = harness.deps[kind];
  });

  it.each(['the hang-up job', 'the reconciler'])(
    'is a leg again before its clock ends the session, by %s',
    async (by) => {
      const meeting = await startMeeting(harness, deps, { browsers_left_s: 60, alone_s: 30 });
      await reportBrowserGone(deps, meeting);
      expect(await statesOf(meeting, 'webrtc')).toEqual(['ended']);
      await passTime(harness, 31);
      if (by === 'the hang-up job') expect(await job(deps, meeting)).not.toBe('done');
      else {
        await passTime(harness, 3);
        await reconcile(deps);
      }
      expect(await readSession(harness, meeting)).toMatchObject({ state: 'live', browsers_left_at: null });
      expect(await statesOf(meeting, 'webrtc')).toEqual(['ended', 'joined']);
      expect(reopened('webrtc')).toBe(1);
      await passTime(harness, 60);
      await job(deps, meeting);
      expect((await readSession(harness, meeting)).state).toBe('live');
      expect(await countHangUpRequests(harness)).toEqual({});
      const legs = await readLegs(harness, meeting, 'webrtc');
      expect(await endAndCharge(deps, meeting, 'media', 'webrtc')).toMatchObject([{ leg_id: legs[1]?.id }]);
      expect(harness.counters.filter((each) => each.startsWith('false_kill'))).toEqual([]);
    },
  );

  it('is a leg again although twenty phones left after it', async () => {
    const meeting = await startMeeting(harness, deps, { browsers_left_s: 60 });
    await reportBrowserGone(deps, meeting);
    await executeSql(
      harness,
      `INSERT INTO leg (id, tenant_id, session_id, kind, state, voice_call_id, ended_at, deadline_at)
       SELECT 'leg_' || n, $1, $2, 'inbound', 'ended', 'call_' || n, now(), now()
       FROM generate_series(1, 20) AS n`,
      [meeting.tenantId, meeting.sessionId],
    );
    await passTime(harness, 61);
    await job(withProviders(deps, { voice: { getCall: async () => null } }), meeting);
    expect((await readSession(harness, meeting)).state).toBe('live');
    expect(await statesOf(meeting, 'webrtc')).toEqual(['ended', 'joined']);
  });

  it('keeps its place although the room is full again', async () => {
    const meeting = await startMeeting(harness, deps, { max_participants: 2 });
    await reportBrowserGone(deps, meeting);
    const { token: guest } = await issueToken(deps, meeting.tenantId, meeting.roomId, { name: 'Guest' });
    await joinBrowser(harness, { ...meeting, token: guest });
    await passTime(harness, 31);
    await sweepInventory(deps, null);
    expect(await statesOf(meeting, 'webrtc')).toEqual(['ended', 'joined', 'joined']);
    expect((await readLegs(harness, meeting)).map((leg) => leg.hangup_reason)).toEqual([null, null, null, null, null]);
  });

  it('ends the session at the first check when the browser has really left', async () => {
    const meeting = await startMeeting(harness, deps, { browsers_left_s: 60 });
    await harness.emulator.client.leaveWebrtc(meeting.browser.connectionId);
    await untilLegs(harness, meeting, 'webrtc', ['ended']);
    await passTime(harness, 61);
    await job(deps, meeting);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ending', end_reason: 'browsers-left' });
  });

  it('has really left, and its session ends on time although a list still shows it for a moment', async () => {
    const meeting = await startMeeting(harness, deps, { browsers_left_s: 5 });
    const { connectionId } = meeting.browser;
    const stale = withProviders(deps, {
      media: { listConnections: () => Promise.resolve([{ connectionId, createdAt: null }]) },
    });
    await harness.emulator.client.leaveWebrtc(connectionId);
    await untilLegs(harness, meeting, 'webrtc', ['ended']);
    await passTime(harness, 6);
    expect(await job(stale, meeting)).toEqual({ retryAfterMs: 2_000 });
    expect(await statesOf(meeting, 'webrtc')).toEqual(['ended']);
    await job(deps, meeting);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ending', end_reason: 'browsers-left' });
  });

  it('is not cut while a list shows it, and is a leg again once the list proves it', async () => {
    const meeting = await startMeeting(harness, deps, { browsers_left_s: 5 });
    await reportBrowserGone(deps, meeting);
    await passTime(harness, 6);
    expect(await job(deps, meeting)).toEqual({ retryAfterMs: 2_000 });
    expect(await statesOf(meeting, 'webrtc')).toEqual(['ended']);
    await passTime(harness, 25);
    await job(deps, meeting);
    expect(await statesOf(meeting, 'webrtc')).toEqual(['ended', 'joined']);
    expect((await readSession(harness, meeting)).state).toBe('live');
  });

  it('does not end the session while the provider cannot be asked, for two minutes at most', async () => {
    const meeting = await startMeeting(harness, deps, { browsers_left_s: 60 });
    await reportBrowserGone(deps, meeting);
    const fail = () => Promise.reject(new ProviderError('unknown', 'upstream-timeout', 'No answer.'));
    const silent = withProviders(deps, { media: { listConnections: fail } });
    await passTime(harness, 61);
    expect(await job(silent, meeting)).toEqual({ retryAfterMs: 2_000 });
    expect((await readSession(harness, meeting)).state).toBe('live');
    await passTime(harness, 121);
    await job(silent, meeting);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ending', end_reason: 'browsers-left' });
    // The browser is cut because of the wrong callback, which counts.
    await hangUpUntilDone(harness, deps, meeting);
    await passTime(harness, 60);
    await sweepInventory(deps, null);
    expect(harness.counters).toContain('false_kill webrtc platform');
  });

  it('is charged until the latest end that a callback states, in any order', async () => {
    const meeting = await startMeeting(harness, deps, {});
    const now = Date.now();
    const { mediaSessionId, browser } = meeting;
    const reportEnd = (agoS: number) =>
      applyMediaEvent(deps, callback(), {
        kind: 'disconnected',
        mediaSessionId,
        connectionId: browser.connectionId,
        data: '',
        reason: 'clientDisconnected',
        since: new Date(now - 50_000),
        at: new Date(now - agoS * 1000),
      });
    for (const agoS of [40, 0, 20]) await reportEnd(agoS);
    expect(await charges(meeting, 'media', 'webrtc')).toMatchObject([{ seconds: 50, ended_at: new Date(now) }]);
    expect(await statesOf(meeting, 'webrtc')).toEqual(['ended']);
  });

  it('is not charged for longer by a late callback without a possible time of the end', async () => {
    const meeting = await startMeeting(harness, deps, {});
    const { mediaSessionId, browser } = meeting;
    const reportEnd = (at: Date | null) =>
      applyMediaEvent(deps, callback(), {
        kind: 'disconnected',
        mediaSessionId,
        connectionId: browser.connectionId,
        data: '',
        reason: 'clientDisconnected',
        at,
      });
    await reportEnd(null);
    const records = await charges(meeting, 'media', 'webrtc');
    for (const at of [null, new Date(Date.now() + 3_600_000), new Date(0)]) await reportEnd(at);
    expect(await charges(meeting, 'media', 'webrtc')).toEqual(records);
  });

  it('does not delay an end that no departure causes', async () => {
    const meeting = await startMeeting(harness, deps, { browsers_left_s: 60, max_duration_s: 3_600 });
    await reportBrowserGone(deps, meeting);
    await passTime(harness, 3_601);
    await job(deps, meeting);
    expect((await readSession(harness, meeting)).state).toBe('ending');
  });
});

it('a bridge connection that a callback reports as gone is charged once, until its real end', async () => {
  const deps = harness.deps.unified;
  const meeting = await startMeeting(harness, deps, {});
  const bridge = (await readLegs(harness, meeting, 'bridge'))[0];
  await applyMediaEvent(deps, callback(), {
    kind: 'disconnected',
    mediaSessionId: meeting.mediaSessionId,
    connectionId: bridge?.media_connection_id ?? '',
    data: '',
    reason: 'networkDisconnected',
    at: new Date(),
  });
  expect(await charges(meeting, 'media', 'bridge')).toHaveLength(1);
  await passTime(harness, 31);
  await sweepInventory(deps, null);
  expect(await charges(meeting, 'media', 'bridge')).toEqual([]);
  await passTime(harness, 600);
  const records = await endAndCharge(deps, meeting, 'media', 'bridge');
  expect(records).toHaveLength(1);
  expect(records[0]?.ended_at.getTime()).toBeGreaterThan(Date.now() - 60_000);
});

describe('a phone that an event reports as completed and that is live', () => {
  let deps: TestDeps;
  let meeting: Meeting;
  beforeEach(async () => {
    deps = harness.deps.unified;
    meeting = await startMeeting(harness, deps, { phones_left_s: 60 });
    await untilWebhooksDone(harness);
    await reportCallOver(deps, meeting.caller.callId);
  });

  it('is a leg again before its clock ends the session, with one charge', async () => {
    expect(await statesOf(meeting, 'inbound')).toEqual(['ended']);
    await passTime(harness, 61);
    await job(deps, meeting);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'live', phones_left_at: null });
    const [, leg] = await readLegs(harness, meeting, 'inbound');
    expect(leg).toMatchObject({ state: 'joined', voice_call_id: meeting.caller.callId });
    expect(reopened('inbound')).toBe(1);
    expect(await charges(meeting, 'voice', 'inbound')).toEqual([]);
    const records = await endAndCharge(deps, meeting, 'voice', 'inbound');
    expect(records).toMatchObject([{ leg_id: leg?.id }]);
  });

  it('is a leg again although the first look-up denies it', async () => {
    const denied = withProviders(deps, { voice: { getCall: async () => null } });
    await passTime(harness, 61);
    expect(await job(denied, meeting)).toEqual({ retryAfterMs: 2_000 });
    expect((await readSession(harness, meeting)).state).toBe('live');
    await job(deps, meeting);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'live', phones_left_at: null });
    expect(await statesOf(meeting, 'inbound')).toEqual(['ended', 'joined']);
  });

  it('is a leg again at the next inventory, and is not hung up', async () => {
    for (let n = 0; n < 3; n++) {
      await sweepInventory(deps, null);
      await passTime(harness, 40);
    }
    expect(await statesOf(meeting, 'inbound')).toEqual(['ended', 'joined']);
    expect(await countHangUpRequests(harness)).toEqual({});
    expect(harness.counters.filter((each) => /^(orphans_found|false_kill)/.test(each))).toEqual([]);
  });

  it('is not hung up while a list shows it and the look-up denies it', async () => {
    const denied = withProviders(deps, { voice: { getCall: async () => null } });
    for (let n = 0; n < 3; n++) {
      await sweepInventory(denied, null);
      await passTime(harness, 20);
    }
    expect(await countHangUpRequests(harness)).toEqual({});
  });

  it.each([
    ['denies it', async () => null],
    [
      'fails',
      async () => {
        throw new ProviderError('unknown', 'upstream-timeout', 'no answer');
      },
    ],
  ])('is hung up after its session ended, although the look-up %s', async (_what, getCall) => {
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await hangUpUntilDone(harness, deps, meeting);
    const denied = withProviders(deps, { voice: { getCall } });
    for (let n = 0; n < 3; n++) {
      await sweepInventory(denied, null);
      await passTime(harness, 40);
    }
    await harness.emulator.client.awaitEnded(meeting.caller.id);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });

  it('of a person who was removed since is hung up as removed', async () => {
    const [ended] = await readLegs(harness, meeting, 'inbound');
    await removeParticipant(deps, meeting.tenantId, ended?.participant_id ?? '');
    await passTime(harness, 40);
    await sweepInventory(deps, null);
    const [, leg] = await readLegs(harness, meeting, 'inbound');
    expect(leg).toMatchObject({ state: 'ending', hangup_reason: 'removed' });
  });

  it.each([
    [
      'a departure',
      1,
      async () => {
        const denied = withProviders(deps, { voice: { getCall: async () => null } });
        await passTime(harness, 182);
        await job(denied, meeting);
      },
    ],
    ['its tenant', 0, () => endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant')],
  ])('is hung up within seconds after %s ended its session, with %s false kills', async (_by, falseKills, end) => {
    await end();
    await hangUpUntilDone(harness, deps, meeting);
    await passTime(harness, 40);
    await sweepInventory(deps, null);
    await reconcileUntilQuiet(harness, deps);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
    expect(harness.counters.filter((each) => each === 'false_kill inbound platform')).toHaveLength(falseKills);
  });
});

describe('a called phone that an event reports as completed while it rings', () => {
  const PHONE = '+442079460031';
  let deps: TestDeps;
  let meeting: Meeting;
  let ringing: { id: string; callId: string };
  beforeEach(async () => {
    deps = harness.deps.unified;
    meeting = await startMeeting(harness, deps);
    await harness.emulator.client.setPhone(PHONE, { mode: 'no-answer' });
    const { legId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: PHONE });
    await dialOut(deps, meeting.tenantId, legId);
    ringing = await harness.emulator.client.awaitRing(PHONE);
    await untilLegs(harness, meeting, 'outbound', ['ringing']);
    await reportCallOver(deps, ringing.callId);
    await untilLegs(harness, meeting, 'outbound', ['ended']);
  });

  it('rings again after the next inventory, and joins when it is picked up', async () => {
    await sweepInventory(deps, null);
    expect((await readLegs(harness, meeting, 'outbound'))[1]).toMatchObject({ state: 'ringing', answered_at: null });
    await harness.emulator.client.answer(ringing.id);
    await untilLegs(harness, meeting, 'outbound', ['ended', 'joined']);
    expect(harness.webhookErrors).toEqual([]);
    await harness.emulator.client.hangUp(ringing.id);
    await untilLegs(harness, meeting, 'outbound', ['ended', 'ended']);
  });

  it('is answered after the next inventory when the look-up shows it answered', async () => {
    const call = await deps.voice.getCall(ringing.callId);
    const event = { kind: 'call', callId: ringing.callId, phase: 'answered', at: null } as const;
    await sweepInventory(withProviders(deps, { voice: { getCall: async () => ({ ...call!, event }) } }), null);
    expect((await readLegs(harness, meeting, 'outbound'))[1]).toMatchObject({ state: 'answered' });
  });

  it('is charged for the length that the provider states, although its answer was never reported', async () => {
    await passTime(harness, 400);
    await sweepInventory(deps, null);
    const [, leg] = await readLegs(harness, meeting, 'outbound');
    const charge = {
      priceMicro: '500',
      rateMicro: null,
      seconds: 395,
      currency: 'EUR',
      startedAt: null,
      endedAt: null,
    };
    await applyLegEvent(deps, callback(), { kind: 'call', callId: ringing.callId, phase: 'over', at: null, charge });
    expect(await charges(meeting, 'voice', 'outbound')).toMatchObject([{ leg_id: leg?.id, seconds: 395 }]);
  });
});
