import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FaultsInput } from '@partyline/vonage-emulator/control-client';
import { endSession } from '../sessions/end-session.ts';
import { issueToken } from '../participants/issue-token.ts';
import { openBridge } from '../legs/open-bridge.ts';
import { reconcile } from './reconcile.ts';
import { sweepInventory } from './sweep-inventory.ts';
import {
  executeSql,
  joinByPhone,
  joinBrowser,
  startMeeting,
  openRoom,
  readLegs,
  readSession,
  untilLegs,
  listLegsAtProvider,
  type Meeting,
} from '../testing/meeting.ts';
import { countHangUpRequests, passTime, reconcileUntilQuiet, resetHarness } from '../testing/pass-time.ts';
import { MEDIA_KINDS, startTestHarness, type TestHarness } from '../testing/test-harness.ts';
import { withProviders } from '../testing/with-providers.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness();
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

const NO_CALLBACKS = [
  { kind: 'session-callback', fault: 'drop' },
  { kind: 'sip-callback', fault: 'drop' },
] as const;
const dropVideo = (rest: FaultsInput['rest'] = []) =>
  harness.emulator.client.setFaults({ rest, webhooks: [...NO_CALLBACKS] });
const join = (meeting: Meeting) =>
  harness.emulator.client.joinWebrtc({ sessionId: meeting.mediaSessionId, token: meeting.token });

describe.each(MEDIA_KINDS)('the sweep of a %s session after a lost callback', (kind) => {
  it('adds the first browser and moves the session to live', async () => {
    const deps = harness.deps[kind];
    const meeting = await openRoom(deps, { never_used_s: 120 });
    await dropVideo();
    const { connectionId } = await join(meeting);
    expect(await readLegs(harness, meeting)).toEqual([]);
    expect(await sweepInventory(deps, null)).toMatchObject({ connections: 1 });
    expect(await readLegs(harness, meeting)).toMatchObject([
      { kind: 'webrtc', state: 'joined', media_connection_id: connectionId },
    ]);
    expect((await readSession(harness, meeting)).state).toBe('live');
    expect(await sweepInventory(deps, null)).toMatchObject({ connections: 0 });
    expect(await readLegs(harness, meeting)).toHaveLength(1);
    // The session does not end as never-used.
    await passTime(harness, 130);
    await reconcile(deps);
    expect((await readSession(harness, meeting)).state).toBe('live');
    expect(await countHangUpRequests(harness)).toEqual({});
  });

  it('adds another browser, whose late callback changes nothing', async () => {
    const deps = harness.deps[kind];
    const meeting = await openRoom(deps);
    await joinBrowser(harness, meeting);
    let take = (): void => undefined;
    harness.videoEventGate = new Promise((resolve) => (take = resolve));
    const webhook = {
      kind: 'session-callback',
      event: 'connectionCreated',
      after: (await harness.emulator.client.webhookLog()).at(-1)?.seq ?? 0,
    };
    const { connectionId } = await join(meeting);
    expect(await sweepInventory(deps, null)).toMatchObject({ connections: 1 });
    take();
    expect(await harness.emulator.client.awaitWebhook(webhook)).toMatchObject({ outcome: 'delivered', status: 200 });
    expect((await readLegs(harness, meeting, 'webrtc')).map((leg) => leg.state)).toEqual(['joined', 'joined']);
    await harness.emulator.client.leaveWebrtc(connectionId);
    await untilLegs(harness, meeting, 'webrtc', ['joined', 'ended']);
  });

  it('ends the leg of the last browser by two lists, and starts the clock', async () => {
    const deps = harness.deps[kind];
    const meeting = await openRoom(deps, { browsers_left_s: 60 });
    const { connectionId } = await joinBrowser(harness, meeting);
    await dropVideo();
    await harness.emulator.client.leaveWebrtc(connectionId);
    expect(await sweepInventory(deps, null)).toMatchObject({ connections: 0 });
    expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['joined']);
    await passTime(harness, 31);
    // Not within 30 s after the first list that lacks it.
    for (let sweep = 0; sweep < 2; sweep++) {
      expect(await sweepInventory(deps, null)).toMatchObject({ connections: 0 });
      await passTime(harness, 14);
    }
    expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['joined']);
    await passTime(harness, 3);
    expect(await sweepInventory(deps, null)).toMatchObject({ connections: 1 });
    expect(await readLegs(harness, meeting)).toMatchObject([{ state: 'ended', reason: 'not-in-list' }]);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'live', due_reason: 'browsers-left' });
    expect(await harness.store.prisma.observation.findMany({ where: { phase: 'over' } })).toMatchObject([
      { source: 'look-up', handle: 'media' },
    ]);
  });

  it('finds the bridge leg whose dial got no reply, which is hung up with its session', async () => {
    const deps = harness.deps[kind];
    const meeting = await openRoom(deps);
    await joinBrowser(harness, meeting);
    await joinByPhone(harness, deps, meeting);
    await dropVideo([{ route: 'dial', fault: 'applied-silent', next: 1 }]);
    expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('unknown');
    await untilLegs(harness, meeting, 'bridge', ['joined']);
    await sweepInventory(deps, null);
    const [bridge] = await readLegs(harness, meeting, 'bridge');
    const { legs } = await harness.emulator.client.ledger({
      kind: 'sip-interconnect',
      sessionId: meeting.mediaSessionId,
    });
    expect(bridge?.media_connection_id).toBe(legs[0]?.id);
    expect((await readLegs(harness, meeting, 'webrtc')).map((leg) => leg.state)).toEqual(['joined']);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await reconcileUntilQuiet(harness, deps);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });

  it('distinguishes the bridge leg whose dial got no reply from a browser whose callback was lost', async () => {
    const deps = harness.deps[kind];
    const meeting = await openRoom(deps);
    await joinBrowser(harness, meeting);
    await joinByPhone(harness, deps, meeting);
    await dropVideo([{ route: 'dial', fault: 'applied-silent', next: 1 }]);
    const { connectionId } = await join(meeting);
    expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('unknown');
    await untilLegs(harness, meeting, 'bridge', ['joined']);
    await sweepInventory(deps, null);
    const [sip] = (
      await harness.emulator.client.ledger({ kind: 'sip-interconnect', sessionId: meeting.mediaSessionId })
    ).legs;
    expect((await readLegs(harness, meeting, 'bridge')).map((leg) => leg.media_connection_id)).toEqual([sip?.id]);
    expect((await readLegs(harness, meeting, 'webrtc')).map((leg) => [leg.state, leg.media_connection_id])).toEqual([
      ['joined', expect.any(String)],
      ['joined', connectionId],
    ]);
  });

  it.each([60, 1_200])('disconnects a browser that connected %d s after the end with a valid token', async (lateS) => {
    const deps = harness.deps[kind];
    const meeting = await openRoom(deps);
    await joinBrowser(harness, meeting);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await reconcileUntilQuiet(harness, deps);
    await passTime(harness, lateS);
    await dropVideo();
    const { connectionId } = await join(meeting);
    await sweepInventory(deps, null);
    await passTime(harness, 3);
    await reconcile(deps);
    await harness.emulator.client.awaitDisconnected(connectionId);
    await reconcileUntilQuiet(harness, deps);
    expect((await readLegs(harness, meeting, 'webrtc')).map((leg) => leg.state)).toEqual(['ended', 'ended']);
    expect((await readSession(harness, meeting)).state).toBe('ended');
  });
});

describe('a connected browser that a list omits', () => {
  it('keeps its leg when a list in between shows it', async () => {
    const deps = harness.deps.unified;
    const meeting = await startMeeting(harness, deps);
    for (let minute = 0; minute < 3; minute++) {
      await passTime(harness, 31);
      await harness.emulator.client.setFaults({ switches: { listOmitsConnections: true } });
      expect(await sweepInventory(deps, null)).toMatchObject({ connections: 0 });
      await harness.emulator.client.resetFaults();
      await passTime(harness, 31);
      expect(await sweepInventory(deps, null)).toMatchObject({ connections: 0 });
    }
    expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['joined', 'joined', 'joined']);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([
      'sip-interconnect',
      'voice-inbound',
      'voice-sip',
      'webrtc',
    ]);
    expect(await countHangUpRequests(harness)).toEqual({});
  });

  it('keeps its leg when it connected during the request, in a process that was paused', async () => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps);
    await joinBrowser(harness, meeting);
    const { token } = await issueToken(deps, meeting.tenantId, meeting.roomId, { name: 'Guest' });
    const listConnections = async (mediaSessionId: string) => {
      const list = await deps.media.listConnections(mediaSessionId);
      await join({ ...meeting, token });
      await untilLegs(harness, meeting, 'webrtc', ['joined', 'joined']);
      await passTime(harness, 31);
      return list;
    };
    await sweepInventory(withProviders(deps, { media: { listConnections } }), null);
    await passTime(harness, 61);
    expect(await sweepInventory(deps, null)).toMatchObject({ connections: 0 });
    expect((await readLegs(harness, meeting)).map((leg) => [leg.state, leg.media_missing_since])).toEqual([
      ['joined', null],
      ['joined', null],
    ]);
    expect(await listLegsAtProvider(harness, meeting)).toEqual(['webrtc', 'webrtc']);
  });

  it('is reopened as a new leg after two such lists, while its session runs', async () => {
    const deps = harness.deps.unified;
    const meeting = await startMeeting(harness, deps);
    await harness.emulator.client.setFaults({ switches: { listOmitsConnections: true } });
    for (let sweep = 0; sweep < 2; sweep++) {
      await passTime(harness, 31);
      await sweepInventory(deps, null);
    }
    // The status of the bridge leg's call shows that its voice handle is up.
    expect(
      (await readLegs(harness, meeting)).map((leg) => [leg.kind, leg.state, leg.media_closed_at !== null]),
    ).toEqual([
      ['webrtc', 'ended', true],
      ['inbound', 'joined', false],
      ['bridge', 'joined', true],
    ]);
    await harness.emulator.client.resetFaults();
    await passTime(harness, 31);
    expect(await sweepInventory(deps, null)).toMatchObject({ connections: 2 });
    const [gone, back] = await readLegs(harness, meeting, 'webrtc');
    expect(back).toMatchObject({
      state: 'joined',
      media_connection_id: gone?.media_connection_id,
      participant_id: gone?.participant_id,
    });
    expect((await readLegs(harness, meeting, 'bridge'))[0]).toMatchObject({
      state: 'joined',
      media_closed_at: null,
      media_missing_since: null,
    });
    expect(await sweepInventory(deps, null)).toMatchObject({ connections: 0 });
    expect(await listLegsAtProvider(harness, meeting)).toEqual([
      'sip-interconnect',
      'voice-inbound',
      'voice-sip',
      'webrtc',
    ]);
    expect(await countHangUpRequests(harness)).toEqual({});
    expect(harness.counters.filter((name) => name.startsWith('false_kill'))).toEqual([]);
    // Its own callback then ends it.
    await harness.emulator.client.leaveWebrtc(gone?.media_connection_id ?? 'none');
    await untilLegs(harness, meeting, 'webrtc', ['ended', 'ended']);
  });

  it('is counted as a false kill when it is disconnected after two such lists', async () => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps);
    const { connectionId } = await joinBrowser(harness, meeting);
    await harness.emulator.client.setFaults({ switches: { listOmitsConnections: true } });
    for (let sweep = 0; sweep < 2; sweep++) {
      await passTime(harness, 31);
      await sweepInventory(deps, null);
    }
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'empty');
    await harness.emulator.client.resetFaults();
    await passTime(harness, 31);
    await sweepInventory(deps, null);
    await reconcileUntilQuiet(harness, deps);
    await harness.emulator.client.awaitDisconnected(connectionId);
    expect(harness.counters.filter((name) => name.startsWith('false_kill'))).toEqual(['false_kill webrtc platform']);
  });

  it('is disconnected again until two lists lack it, when its session has ended', async () => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps);
    await joinBrowser(harness, meeting);
    await harness.emulator.client.setFaults({
      rest: [{ route: 'disconnect', fault: '204-no-effect' }],
      switches: { listOmitsConnections: true },
    });
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    for (let attempt = 0; attempt < 2; attempt++) {
      await passTime(harness, 3);
      await reconcile(deps);
    }
    expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['ending']);
    await harness.emulator.client.resetFaults();
    await passTime(harness, 16);
    await reconcile(deps);
    expect(await readLegs(harness, meeting)).toMatchObject([{ media_missing_since: null }]);
    await reconcileUntilQuiet(harness, deps);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });
});

describe('the comparison of connections', () => {
  it('concludes nothing from a failed list, and continues with the next session', async () => {
    const deps = harness.deps.unified;
    const meetings = [await startMeeting(harness, deps), await startMeeting(harness, deps)];
    await dropVideo();
    for (const meeting of meetings) await join(meeting);
    const states = async () =>
      (await Promise.all(meetings.map((meeting) => readLegs(harness, meeting))))
        .map((legs) => legs.map((leg) => leg.state))
        .toSorted((a, b) => a.length - b.length);
    await dropVideo([{ route: 'list-connections', fault: '500', next: 1 }]);
    await passTime(harness, 31);
    expect(await sweepInventory(deps, null)).toMatchObject({ connections: 1 });
    expect(await states()).toEqual([Array(3).fill('joined'), Array(4).fill('joined')]);
    expect(await sweepInventory(deps, null)).toMatchObject({ connections: 1 });
    expect(await states()).toEqual([Array(4).fill('joined'), Array(4).fill('joined')]);
  });

  it('disconnects a live connection of an ended leg after its session or its hang-up request', async () => {
    const deps = harness.deps.unified;
    const [closed, never] = [await openRoom(deps), await openRoom(deps)];
    const connections = [await joinBrowser(harness, closed), await joinBrowser(harness, never)];
    await executeSql(harness, `UPDATE session SET state = 'ended', ending_at = now(), ended_at = now() WHERE id = $1`, [
      closed.sessionId,
    ]);
    await executeSql(
      harness,
      `UPDATE leg SET hangup_requested_at = now(), hangup_reason = 'removed' WHERE session_id IN ($1, $2)`,
      [never.sessionId, closed.sessionId],
    );
    await executeSql(
      harness,
      `UPDATE leg SET state = 'ended', media_closed_at = now(), ended_at = now() WHERE session_id = $1`,
      [closed.sessionId],
    );
    await executeSql(harness, `UPDATE leg SET state = 'ended', ended_at = now() WHERE session_id = $1`, [
      never.sessionId,
    ]);
    await passTime(harness, 31);
    await sweepInventory(deps, null);
    for (const { connectionId } of connections)
      expect((await harness.emulator.client.awaitDisconnected(connectionId)).endReason).toBe('forceDisconnected');
    expect(harness.counters.filter((name) => name.startsWith('false_kill'))).toEqual([]);
  });

  it('does not take a connection that just closed for an orphan when the list is old', async () => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps);
    const { connectionId } = await joinBrowser(harness, meeting);
    await passTime(harness, 120);
    const listConnections = async (mediaSessionId: string) => {
      const list = await deps.media.listConnections(mediaSessionId);
      await harness.emulator.client.leaveWebrtc(connectionId);
      await untilLegs(harness, meeting, 'webrtc', ['ended']);
      return list;
    };
    const before = harness.counters.length;
    expect(await sweepInventory(withProviders(deps, { media: { listConnections } }), null)).toMatchObject({
      connections: 0,
    });
    expect(harness.counters.slice(before).filter((name) => name.startsWith('orphan'))).toEqual([]);
    expect(await countHangUpRequests(harness)).toEqual({});
  });

  it('changes nothing while the lists agree with the rows', async () => {
    const deps = harness.deps.opentok;
    const meeting = await startMeeting(harness, deps);
    for (let minute = 0; minute < 5; minute++) {
      await passTime(harness, 60);
      expect(await sweepInventory(deps, null)).toMatchObject({ adopted: 0, orphans: 0, missing: 0, connections: 0 });
      await reconcile(deps);
    }
    expect(await countHangUpRequests(harness)).toEqual({});
    expect(await listLegsAtProvider(harness, meeting)).toEqual([
      'sip-interconnect',
      'voice-inbound',
      'voice-sip',
      'webrtc',
    ]);
  });
});
