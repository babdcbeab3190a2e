import { listDueWork } from '@partyline/store/reconciliation/due-work';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endSession } from '../sessions/end-session.ts';
import { hangUpSession } from '../hang-ups/hang-up-session.ts';
import { openBridge } from './open-bridge.ts';
import {
  joinByPhone,
  hangUpUntilDone,
  joinBrowser,
  startMeeting,
  openRoom,
  readLegs,
  readSession,
  settleNow,
  until,
  untilLegs,
  listLegsAtProvider,
  type Meeting,
} from '../testing/meeting.ts';
import { MEDIA_KINDS, startTestHarness, type MediaKind, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness();
});
afterEach(async () => {
  harness.jobsDown = false;
  harness.answerGate = undefined;
  await harness.emulator.client.resetFaults();
});
afterAll(() => harness.close());

const countDials = async (meeting: Meeting): Promise<number> =>
  (await harness.emulator.client.restLog({ route: 'dial' })).filter((entry) =>
    JSON.stringify(entry).includes(meeting.mediaSessionId),
  ).length;
const jobsFor = (meeting: Meeting, name: string): typeof harness.sentJobs =>
  harness.sentJobs.filter((job) => job.name === name && job.id === meeting.sessionId);
const isBridgeDue = async (meeting: Meeting): Promise<boolean> =>
  (await listDueWork(harness.store, { graceMs: 0 })).bridge.some((each) => each.id === meeting.sessionId);

/** Opens a room with a browser and a caller, before the bridge is dialled. */
async function openRoomWithBrowserAndCaller(kind: MediaKind): Promise<Meeting> {
  const meeting = await openRoom(harness.deps[kind]);
  await joinBrowser(harness, meeting);
  await joinByPhone(harness, harness.deps[kind], meeting);
  return meeting;
}

describe.each(MEDIA_KINDS)('openBridge in a %s session', (kind) => {
  it('dials one bridge leg once a browser and a caller are present, and joins them in one conversation', async () => {
    const deps = harness.deps[kind];
    const meeting = await openRoom(deps);
    await joinBrowser(harness, meeting);
    expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('not-wanted');
    await joinByPhone(harness, deps, meeting);
    expect(jobsFor(meeting, 'open-bridge')).toHaveLength(1);
    const results = await Promise.all(
      Array.from({ length: 5 }, () => openBridge(deps, meeting.tenantId, meeting.sessionId)),
    );
    expect(results.toSorted()).toEqual(['dialled', 'not-wanted', 'not-wanted', 'not-wanted', 'not-wanted']);
    await untilLegs(harness, meeting, 'bridge', ['joined']);
    expect(await countDials(meeting)).toBe(1);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([
      'sip-interconnect',
      'voice-inbound',
      'voice-sip',
      'webrtc',
    ]);
    const { conversation } = await readSession(harness, meeting);
    expect((await harness.emulator.client.awaitLegsUp(2, { conversation })).up).toBe(2);
    const [bridge] = await readLegs(harness, meeting, 'bridge');
    expect(bridge).toMatchObject({ media_connection_id: expect.any(String), voice_call_id: expect.any(String) });
  });

  it('does not dial again when the reply was lost: the connection is identified by its data', async () => {
    const deps = harness.deps[kind];
    const meeting = await openRoomWithBrowserAndCaller(kind);
    await harness.emulator.client.setFaults({ rest: [{ route: 'dial', fault: 'applied-silent', next: 1 }] });
    expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('unknown');
    expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('not-wanted');
    await untilLegs(harness, meeting, 'bridge', ['joined']);
    const [bridge] = await readLegs(harness, meeting, 'bridge');
    const connection = (await harness.emulator.client.sessions())
      .find((each) => each.sessionId === meeting.mediaSessionId)
      ?.connections.find((each) => each.kind === 'sip');
    expect(bridge?.media_connection_id).toBe(connection?.connectionId);
    expect(await countDials(meeting)).toBe(1);
  });

  it('does not dial again when the reply could not be stored: the connection is identified by its data', async () => {
    const deps = harness.deps[kind];
    const meeting = await openRoomWithBrowserAndCaller(kind);
    const { pool } = harness.store;
    let down = false;
    const connect = () => (down ? Promise.reject(new Error('Postgres is away')) : pool.connect());
    const providers: typeof deps.providers = async (accountId) => {
      const account = await deps.providers(accountId);
      const dialSip: typeof account.media.dialSip = (dial) => account.media.dialSip(dial).finally(() => (down = true));
      return { ...account, media: { ...account.media, dialSip } };
    };
    const store = { ...harness.store, pool: { connect } as unknown as typeof pool };
    expect(await openBridge({ ...deps, store, providers }, meeting.tenantId, meeting.sessionId)).toBe('unknown');
    expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('not-wanted');
    await untilLegs(harness, meeting, 'bridge', ['joined']);
    expect(await readLegs(harness, meeting, 'bridge')).toMatchObject([
      { media_connection_id: expect.any(String), voice_call_id: expect.any(String) },
    ]);
    expect(await countDials(meeting)).toBe(1);
  });

  it('dials again after a back-off when the bridge leg dropped', async () => {
    const deps = harness.deps[kind];
    const meeting = await startMeeting(harness, deps);
    const [first] = await readLegs(harness, meeting, 'bridge');
    await deps.media.disconnect({
      mediaSessionId: meeting.mediaSessionId,
      connectionId: first?.media_connection_id ?? '',
    });
    await untilLegs(harness, meeting, 'bridge', ['ended']);
    const { bridge_due_at, state } = await readSession(harness, meeting);
    expect(state).toBe('live');
    expect(jobsFor(meeting, 'open-bridge').at(-1)?.delayMs).toBeGreaterThan(500);
    // The due time is moved into the future, so that a slow machine does not reach it.
    const setDueAt = (byMs: number) =>
      harness.store.prisma.session.update({
        where: { id: meeting.sessionId },
        data: { bridge_due_at: new Date((bridge_due_at?.getTime() ?? 0) + byMs) },
      });
    await setDueAt(60_000);
    expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('not-wanted');
    await setDueAt(-60_000);
    expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('dialled');
    await untilLegs(harness, meeting, 'bridge', ['ended', 'joined']);
    expect((await readSession(harness, meeting)).bridge_failures).toBe(0);
  });

  it('ends the session only when both handles of a ringing bridge leg are closed', async () => {
    const deps = harness.deps[kind];
    const meeting = await openRoomWithBrowserAndCaller(kind);
    let answer = (): void => undefined;
    harness.answerGate = new Promise((resolve) => (answer = resolve));
    await openBridge(deps, meeting.tenantId, meeting.sessionId);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await hangUpSession(deps, meeting.tenantId, meeting.sessionId);
    // The media handle is closed, but the call is still on its way: the leg has not ended.
    await until(
      async () => (await readLegs(harness, meeting, 'bridge')).map((leg) => leg.media_closed_at),
      [expect.any(Date)],
    );
    expect((await readLegs(harness, meeting, 'bridge'))[0]).toMatchObject({ state: 'ending', voice_call_id: null });
    answer();
    await until(
      async () => (await readLegs(harness, meeting, 'bridge')).map((leg) => leg.voice_call_id),
      [expect.any(String)],
    );
    await hangUpUntilDone(harness, deps, meeting);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ended', end_reason: 'ended-by-tenant' });
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });
});

describe('openBridge, when the provider or Redis fails', () => {
  it.each([
    { fault: '503', result: 'refused' },
    { fault: '401', result: 'refused' },
    { fault: '429', result: 'refused' },
  ] as const)('backs off longer after each $fault, and leaves no call up', async ({ fault, result }) => {
    const deps = harness.deps.unified;
    const meeting = await openRoomWithBrowserAndCaller('unified');
    await harness.emulator.client.setFaults({ rest: [{ route: 'dial', fault }] });
    const waits: number[] = [];
    for (let i = 0; i < 3; i++) {
      expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe(result);
      waits.push(Math.round((jobsFor(meeting, 'open-bridge').at(-1)?.delayMs ?? 0) / 1_000));
      await harness.store.prisma.session.update({
        where: { id: meeting.sessionId },
        data: { bridge_due_at: new Date(0) },
      });
    }
    expect(waits).toEqual([1, 2, 4]);
    expect((await readLegs(harness, meeting, 'bridge')).map((leg) => [leg.state, leg.outcome])).toEqual([
      ['ended', 'upstream'],
      ['ended', 'upstream'],
      ['ended', 'upstream'],
    ]);
    expect(await listLegsAtProvider(harness, meeting)).toEqual(['voice-inbound', 'webrtc']);
  });

  it('does not enqueue itself when it fails', async () => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps);
    await harness.store.prisma.session.update({ where: { id: meeting.sessionId }, data: { media_session_id: null } });
    await harness.store.prisma.room.update({ where: { id: meeting.roomId }, data: { bridge: 'always' } });
    await joinByPhone(harness, deps, meeting);
    await harness.emulator.client.setFaults({ rest: [{ route: 'create-session', fault: '503' }] });
    expect(jobsFor(meeting, 'open-bridge')).toHaveLength(1);
    for (let i = 0; i < 3; i++)
      await expect(openBridge(deps, meeting.tenantId, meeting.sessionId)).rejects.toMatchObject({ failure: 'busy' });
    expect(jobsFor(meeting, 'open-bridge')).toHaveLength(1);
    expect(await isBridgeDue(meeting)).toBe(true);
    await harness.emulator.client.resetFaults();
    expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('dialled');
    expect(await isBridgeDue(meeting)).toBe(false);
  });

  it('dials nothing before the hang-up is armed', async () => {
    const deps = harness.deps.opentok;
    const meeting = await openRoom(deps);
    await joinBrowser(harness, meeting);
    await joinByPhone(harness, deps, meeting);
    harness.jobsDown = true;
    await expect(openBridge(deps, meeting.tenantId, meeting.sessionId)).rejects.toThrow('Redis is unreachable');
    expect(await readLegs(harness, meeting, 'bridge')).toEqual([]);
    expect(await countDials(meeting)).toBe(0);
  });

  it('is listed as due work until the bridge leg exists, when its job was lost', async () => {
    const deps = harness.deps.opentok;
    const meeting = await openRoom(deps);
    await joinByPhone(harness, deps, meeting);
    harness.jobsDown = true;
    await joinBrowser(harness, meeting);
    expect(harness.counters).toContain('enqueue_failed open-bridge');
    expect(await isBridgeDue(meeting)).toBe(true);
    harness.jobsDown = false;
    await openBridge(deps, meeting.tenantId, meeting.sessionId);
    expect(await isBridgeDue(meeting)).toBe(false);
    await settleNow(deps, meeting);
    expect(await isBridgeDue(meeting)).toBe(false);
  });
});

it('dials no bridge leg in a session whose browsers join the voice conference itself', async () => {
  const deps = harness.deps.unified;
  const meeting = await openRoom(deps, { bridge: 'always' });
  const { conversation } = await readSession(harness, meeting);
  await harness.store.prisma.session.update({
    where: { id: meeting.sessionId },
    data: { media_session_id: conversation },
  });
  await joinByPhone(harness, deps, meeting);
  await settleNow(deps, meeting);
  expect(await readSession(harness, meeting)).toMatchObject({ state: 'live', bridge_due_at: null });
  expect(await isBridgeDue(meeting)).toBe(false);
  expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('not-wanted');
});
