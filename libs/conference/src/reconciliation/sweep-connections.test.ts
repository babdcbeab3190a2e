import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FaultsInput } from '@partyline/vonage-emulator/control-client';
import { endSession } from '../sessions/end-session.ts';
import { issueToken } from '../participants/issue-token.ts';
import { openBridge } from '../legs/open-bridge.ts';
import { reconcile } from './reconcile.ts';
import { sweepInventory } from './sweep-inventory.ts';
import {
  alterRows,
  callIn,
  joinBrowser,
  meet,
  openRoom,
  readLegs,
  readSession,
  untilLegs,
  upAtVendor,
  type Meeting,
} from '../testing/meeting.ts';
import { hangUpsAsked, passTime, reconcileUntilQuiet, startOver } from '../testing/pass-time.ts';
import { MEDIA_KINDS, setStage, type Stage } from '../testing/test-harness.ts';
import { withProviders } from '../testing/with-providers.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
beforeEach(() => startOver(stage));
afterAll(() => stage.close());

const NO_CALLBACKS = [
  { kind: 'session-callback', fault: 'drop' },
  { kind: 'sip-callback', fault: 'drop' },
] as const;
const dropVideo = (rest: FaultsInput['rest'] = []) =>
  stage.emulator.client.setFaults({ rest, webhooks: [...NO_CALLBACKS] });
const join = (meeting: Meeting) =>
  stage.emulator.client.joinWebrtc({ sessionId: meeting.mediaSessionId, token: meeting.token });

describe.each(MEDIA_KINDS)('a callback of a %s session that was lost is made good', (kind) => {
  it('of the first browser that came: it is on the roster and the session is live, once', async () => {
    const world = stage.worlds[kind];
    const meeting = await openRoom(world, { never_used_s: 120 });
    await dropVideo();
    const { connectionId } = await join(meeting);
    expect(await readLegs(stage, meeting)).toEqual([]);
    expect(await sweepInventory(world, null)).toMatchObject({ connections: 1 });
    expect(await readLegs(stage, meeting)).toMatchObject([
      { kind: 'webrtc', state: 'joined', media_connection_id: connectionId },
    ]);
    expect((await readSession(stage, meeting)).state).toBe('live');
    expect(await sweepInventory(world, null)).toMatchObject({ connections: 0 });
    expect(await readLegs(stage, meeting)).toHaveLength(1);
    // Not ended as never used, with somebody in it.
    await passTime(stage, 130);
    await reconcile(world);
    expect((await readSession(stage, meeting)).state).toBe('live');
    expect(await hangUpsAsked(stage)).toEqual({});
  });

  it('of one that came to others, and late: its callback then changes nothing', async () => {
    const world = stage.worlds[kind];
    const meeting = await openRoom(world);
    await joinBrowser(stage, meeting);
    let take = (): void => undefined;
    stage.videoHeld = new Promise((resolve) => (take = resolve));
    const told = {
      kind: 'session-callback',
      event: 'connectionCreated',
      after: (await stage.emulator.client.webhookLog()).at(-1)?.seq ?? 0,
    };
    const { connectionId } = await join(meeting);
    expect(await sweepInventory(world, null)).toMatchObject({ connections: 1 });
    take();
    expect(await stage.emulator.client.awaitWebhook(told)).toMatchObject({ outcome: 'delivered', status: 200 });
    expect((await readLegs(stage, meeting, 'webrtc')).map((leg) => leg.state)).toEqual(['joined', 'joined']);
    await stage.emulator.client.leaveWebrtc(connectionId);
    await untilLegs(stage, meeting, 'webrtc', ['joined', 'ended']);
  });

  it('of the last browser that went: its leg ends, its clock starts; not while the list may be stale, nor by one list alone', async () => {
    const world = stage.worlds[kind];
    const meeting = await openRoom(world, { browsers_left_s: 60 });
    const { connectionId } = await joinBrowser(stage, meeting);
    await dropVideo();
    await stage.emulator.client.leaveWebrtc(connectionId);
    expect(await sweepInventory(world, null)).toMatchObject({ connections: 0 });
    expect((await readLegs(stage, meeting)).map((leg) => leg.state)).toEqual(['joined']);
    await passTime(stage, 31);
    // Not before half a minute after the first that lacks it.
    for (let sweep = 0; sweep < 2; sweep++) {
      expect(await sweepInventory(world, null)).toMatchObject({ connections: 0 });
      await passTime(stage, 14);
    }
    expect((await readLegs(stage, meeting)).map((leg) => leg.state)).toEqual(['joined']);
    await passTime(stage, 3);
    expect(await sweepInventory(world, null)).toMatchObject({ connections: 1 });
    expect(await readLegs(stage, meeting)).toMatchObject([{ state: 'ended', reason: 'not-in-list' }]);
    expect(await readSession(stage, meeting)).toMatchObject({ state: 'live', due_reason: 'browsers-left' });
    expect(await stage.store.prisma.observation.findMany({ where: { phase: 'over' } })).toMatchObject([
      { source: 'look-up', handle: 'media' },
    ]);
  });

  it('of a bridge whose dial was never answered: it is known again, and hung up with its session', async () => {
    const world = stage.worlds[kind];
    const meeting = await openRoom(world);
    await joinBrowser(stage, meeting);
    await callIn(stage, world, meeting);
    await dropVideo([{ route: 'dial', fault: 'applied-silent', next: 1 }]);
    expect(await openBridge(world, meeting.tenantId, meeting.sessionId)).toBe('unknown');
    await untilLegs(stage, meeting, 'bridge', ['joined']);
    await sweepInventory(world, null);
    const [bridge] = await readLegs(stage, meeting, 'bridge');
    const { legs } = await stage.emulator.client.ledger({
      kind: 'sip-interconnect',
      sessionId: meeting.mediaSessionId,
    });
    expect(bridge?.media_connection_id).toBe(legs[0]?.id);
    expect((await readLegs(stage, meeting, 'webrtc')).map((leg) => leg.state)).toEqual(['joined']);
    await endSession(world, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await reconcileUntilQuiet(stage, world);
    expect(await upAtVendor(stage, meeting)).toEqual([]);
  });

  it.each([60, 1_200])(
    'of a browser that came %d s after the session’s end, by a token that still holds: it is disconnected',
    async (lateS) => {
      const world = stage.worlds[kind];
      const meeting = await openRoom(world);
      await joinBrowser(stage, meeting);
      await endSession(world, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
      await reconcileUntilQuiet(stage, world);
      await passTime(stage, lateS);
      await dropVideo();
      const { connectionId } = await join(meeting);
      await sweepInventory(world, null);
      await passTime(stage, 3);
      await reconcile(world);
      await stage.emulator.client.awaitDisconnected(connectionId);
      await reconcileUntilQuiet(stage, world);
      expect((await readLegs(stage, meeting, 'webrtc')).map((leg) => leg.state)).toEqual(['ended', 'ended']);
      expect((await readSession(stage, meeting)).state).toBe('ended');
    },
  );
});

describe('a browser that is there and that a list leaves out', () => {
  it('stays, and so does its leg; lists that show it between count', async () => {
    const world = stage.worlds.unified;
    const meeting = await meet(stage, world);
    for (let minute = 0; minute < 3; minute++) {
      await passTime(stage, 31);
      await stage.emulator.client.setFaults({ switches: { listOmitsConnections: true } });
      expect(await sweepInventory(world, null)).toMatchObject({ connections: 0 });
      await stage.emulator.client.resetFaults();
      await passTime(stage, 31);
      expect(await sweepInventory(world, null)).toMatchObject({ connections: 0 });
    }
    expect((await readLegs(stage, meeting)).map((leg) => leg.state)).toEqual(['joined', 'joined', 'joined']);
    expect(await upAtVendor(stage, meeting)).toEqual(['sip-interconnect', 'voice-inbound', 'voice-sip', 'webrtc']);
    expect(await hangUpsAsked(stage)).toEqual({});
  });

  it('stays when it came while the list was on its way, and whoever asked was stopped meanwhile', async () => {
    const world = stage.worlds.unified;
    const meeting = await openRoom(world);
    await joinBrowser(stage, meeting);
    const { token } = await issueToken(world, meeting.tenantId, meeting.roomId, { name: 'Guest' });
    const listConnections = async (mediaSessionId: string) => {
      const list = await world.media.listConnections(mediaSessionId);
      await join({ ...meeting, token });
      await untilLegs(stage, meeting, 'webrtc', ['joined', 'joined']);
      await passTime(stage, 31);
      return list;
    };
    await sweepInventory(withProviders(world, { media: { listConnections } }), null);
    await passTime(stage, 61);
    expect(await sweepInventory(world, null)).toMatchObject({ connections: 0 });
    expect((await readLegs(stage, meeting)).map((leg) => [leg.state, leg.media_missing_since])).toEqual([
      ['joined', null],
      ['joined', null],
    ]);
    expect(await upAtVendor(stage, meeting)).toEqual(['webrtc', 'webrtc']);
  });

  it('is taken back as a leg of its own when two lists did, while its session runs', async () => {
    const world = stage.worlds.unified;
    const meeting = await meet(stage, world);
    await stage.emulator.client.setFaults({ switches: { listOmitsConnections: true } });
    for (let sweep = 0; sweep < 2; sweep++) {
      await passTime(stage, 31);
      await sweepInventory(world, null);
    }
    // The bridge's voice side is known to be up by its own status.
    expect((await readLegs(stage, meeting)).map((leg) => [leg.kind, leg.state, leg.media_closed_at !== null])).toEqual([
      ['webrtc', 'ended', true],
      ['inbound', 'joined', false],
      ['bridge', 'joined', true],
    ]);
    await stage.emulator.client.resetFaults();
    await passTime(stage, 31);
    expect(await sweepInventory(world, null)).toMatchObject({ connections: 2 });
    const [gone, back] = await readLegs(stage, meeting, 'webrtc');
    expect(back).toMatchObject({
      state: 'joined',
      media_connection_id: gone?.media_connection_id,
      participant_id: gone?.participant_id,
    });
    expect((await readLegs(stage, meeting, 'bridge'))[0]).toMatchObject({
      state: 'joined',
      media_closed_at: null,
      media_missing_since: null,
    });
    expect(await sweepInventory(world, null)).toMatchObject({ connections: 0 });
    expect(await upAtVendor(stage, meeting)).toEqual(['sip-interconnect', 'voice-inbound', 'voice-sip', 'webrtc']);
    expect(await hangUpsAsked(stage)).toEqual({});
    expect(stage.counted.filter((name) => name.startsWith('false_kill'))).toEqual([]);
    // By its own callback it then goes for good.
    await stage.emulator.client.leaveWebrtc(gone?.media_connection_id ?? 'none');
    await untilLegs(stage, meeting, 'webrtc', ['ended', 'ended']);
  });

  it('is counted as a false kill when it is disconnected because two lists did', async () => {
    const world = stage.worlds.unified;
    const meeting = await openRoom(world);
    const { connectionId } = await joinBrowser(stage, meeting);
    await stage.emulator.client.setFaults({ switches: { listOmitsConnections: true } });
    for (let sweep = 0; sweep < 2; sweep++) {
      await passTime(stage, 31);
      await sweepInventory(world, null);
    }
    await endSession(world, meeting.tenantId, meeting.sessionId, 'empty');
    await stage.emulator.client.resetFaults();
    await passTime(stage, 31);
    await sweepInventory(world, null);
    await stage.emulator.client.awaitDisconnected(connectionId);
    expect(stage.counted.filter((name) => name.startsWith('false_kill'))).toEqual(['false_kill webrtc']);
  });

  it('is asked to go until two lists lack it, when its session has ended', async () => {
    const world = stage.worlds.unified;
    const meeting = await openRoom(world);
    await joinBrowser(stage, meeting);
    await stage.emulator.client.setFaults({
      rest: [{ route: 'disconnect', fault: '204-no-effect' }],
      switches: { listOmitsConnections: true },
    });
    await endSession(world, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    for (let attempt = 0; attempt < 2; attempt++) {
      await passTime(stage, 3);
      await reconcile(world);
    }
    expect((await readLegs(stage, meeting)).map((leg) => leg.state)).toEqual(['ending']);
    await stage.emulator.client.resetFaults();
    await passTime(stage, 16);
    await reconcile(world);
    expect(await readLegs(stage, meeting)).toMatchObject([{ media_missing_since: null }]);
    await reconcileUntilQuiet(stage, world);
    expect(await upAtVendor(stage, meeting)).toEqual([]);
  });
});

describe('the comparison of connections', () => {
  it('concludes nothing of a session whose list failed, and goes on with the next', async () => {
    const world = stage.worlds.unified;
    const meetings = [await meet(stage, world), await meet(stage, world)];
    await dropVideo();
    for (const meeting of meetings) await join(meeting);
    const states = async () =>
      (await Promise.all(meetings.map((meeting) => readLegs(stage, meeting))))
        .map((legs) => legs.map((leg) => leg.state))
        .toSorted((a, b) => a.length - b.length);
    await dropVideo([{ route: 'list-connections', fault: '500', next: 1 }]);
    await passTime(stage, 31);
    expect(await sweepInventory(world, null)).toMatchObject({ connections: 1 });
    expect(await states()).toEqual([Array(3).fill('joined'), Array(4).fill('joined')]);
    expect(await sweepInventory(world, null)).toMatchObject({ connections: 1 });
    expect(await states()).toEqual([Array(4).fill('joined'), Array(4).fill('joined')]);
  });

  it('disconnects what we hold to be ended and that is live all the same, when its session is over or it was to go, whichever side said that it was over', async () => {
    const world = stage.worlds.unified;
    const [closed, never] = [await openRoom(world), await openRoom(world)];
    const connections = [await joinBrowser(stage, closed), await joinBrowser(stage, never)];
    await alterRows(stage, `UPDATE session SET state = 'ended', ending_at = now(), ended_at = now() WHERE id = $1`, [
      closed.sessionId,
    ]);
    await alterRows(
      stage,
      `UPDATE leg SET hangup_requested_at = now(), hangup_reason = 'removed' WHERE session_id = $1`,
      [never.sessionId],
    );
    await alterRows(
      stage,
      `UPDATE leg SET state = 'ended', media_closed_at = now(), ended_at = now() WHERE session_id = $1`,
      [closed.sessionId],
    );
    await alterRows(stage, `UPDATE leg SET state = 'ended', ended_at = now() WHERE session_id = $1`, [never.sessionId]);
    await passTime(stage, 31);
    await sweepInventory(world, null);
    for (const { connectionId } of connections)
      expect((await stage.emulator.client.awaitDisconnected(connectionId)).endReason).toBe('forceDisconnected');
    expect(stage.counted.filter((name) => name.startsWith('false_kill'))).toEqual([]);
  });

  it('takes a list that is a moment old for what it is: who has just gone is no orphan', async () => {
    const world = stage.worlds.unified;
    const meeting = await openRoom(world);
    const { connectionId } = await joinBrowser(stage, meeting);
    await passTime(stage, 120);
    const listConnections = async (mediaSessionId: string) => {
      const list = await world.media.listConnections(mediaSessionId);
      await stage.emulator.client.leaveWebrtc(connectionId);
      await untilLegs(stage, meeting, 'webrtc', ['ended']);
      return list;
    };
    const before = stage.counted.length;
    expect(await sweepInventory(withProviders(world, { media: { listConnections } }), null)).toMatchObject({
      connections: 0,
    });
    expect(stage.counted.slice(before).filter((name) => name.startsWith('orphan'))).toEqual([]);
    expect(await hangUpsAsked(stage)).toEqual({});
  });

  it('leaves everything alone that is as the rows say, however long it goes on', async () => {
    const world = stage.worlds.opentok;
    const meeting = await meet(stage, world);
    for (let minute = 0; minute < 5; minute++) {
      await passTime(stage, 60);
      expect(await sweepInventory(world, null)).toMatchObject({ adopted: 0, orphans: 0, missing: 0, connections: 0 });
      await reconcile(world);
    }
    expect(await hangUpsAsked(stage)).toEqual({});
    expect(await upAtVendor(stage, meeting)).toEqual(['sip-interconnect', 'voice-inbound', 'voice-sip', 'webrtc']);
  });
});
