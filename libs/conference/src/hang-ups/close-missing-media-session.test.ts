import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { endSession } from '../sessions/end-session.ts';
import { hangUpSession } from './hang-up-session.ts';
import { sweepInventory } from '../reconciliation/sweep-inventory.ts';
import {
  joinBrowser,
  openRoom,
  readLegs,
  readSession,
  untilLegs,
  listLegsAtProvider,
  type Meeting,
} from '../testing/meeting.ts';
import { passTime, resetHarness } from '../testing/pass-time.ts';
import { startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

const answerNotFound = (...routes: ('list-connections' | 'disconnect')[]): Promise<unknown> =>
  harness.emulator.client.setFaults({
    rest: routes.map((route) => ({ route, fault: '404' as const })),
    webhooks: [{ fault: 'drop' }],
  });

/** Opens a session with a browser and ends it. */
async function openEndingSession(): Promise<Meeting> {
  const meeting = await openRoom(deps);
  await joinBrowser(harness, meeting);
  await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
  return meeting;
}
async function attemptHangUps(meeting: Meeting, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await hangUpSession(deps, meeting.tenantId, meeting.sessionId);
    await passTime(harness, 16);
  }
}
const listClosings = () => harness.store.prisma.observation.findMany({ where: { phase: 'over' } });

describe('closeMissingMediaSession', () => {
  it('closes the media handle as indeterminate after a minute of not-found answers', async () => {
    const meeting = await openEndingSession();
    await answerNotFound('list-connections', 'disconnect');
    await attemptHangUps(meeting, 4);
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ state: 'ending', confirmed_at: null });
    expect(await listClosings()).toEqual([]);
    await attemptHangUps(meeting, 4);
    expect((await readLegs(harness, meeting))[0]).toMatchObject({
      state: 'ended',
      outcome: 'indeterminate',
      reason: 'media-session-not-found',
      confirmed_at: expect.any(Date),
    });
    expect(await listClosings()).toMatchObject([
      { handle: 'media', source: 'look-up', outcome: 'indeterminate', reason: 'media-session-not-found' },
    ]);
    expect((await readSession(harness, meeting)).state).toBe('ended');

    // The connection is live after all: the sweep disconnects it.
    expect(await listLegsAtProvider(harness, meeting)).toEqual(['webrtc']);
    await harness.emulator.client.resetFaults();
    await passTime(harness, 31);
    await sweepInventory(deps, null);
    await harness.emulator.client.awaitLegsUp(0, { kind: 'webrtc' });
  });

  it('closes nothing while the list shows the connection', async () => {
    const meeting = await openEndingSession();
    await answerNotFound('disconnect');
    await attemptHangUps(meeting, 10);
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ state: 'ending', confirmed_at: null });
    expect(await listClosings()).toEqual([]);
    expect(await listLegsAtProvider(harness, meeting)).toEqual(['webrtc']);
  });

  it('closes nothing in a running session', async () => {
    const meeting = await openRoom(deps);
    await joinBrowser(harness, meeting);
    await answerNotFound('list-connections', 'disconnect');
    for (let i = 0; i < 8; i++) {
      await passTime(harness, 31);
      await sweepInventory(deps, null);
    }
    expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['joined']);
    expect(await listClosings()).toEqual([]);
  });

  it('starts again after another answer', async () => {
    const meeting = await openEndingSession();
    await answerNotFound('list-connections', 'disconnect');
    await attemptHangUps(meeting, 4);
    await harness.emulator.client.setFaults({
      rest: [
        { route: 'list-connections', fault: '500' },
        { route: 'disconnect', fault: '500' },
      ],
      webhooks: [{ fault: 'drop' }],
    });
    await attemptHangUps(meeting, 1);
    await answerNotFound('list-connections', 'disconnect');
    await attemptHangUps(meeting, 4);
    expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['ending']);
    await attemptHangUps(meeting, 4);
    await untilLegs(harness, meeting, 'webrtc', ['ended']);
  });
});
