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

const unknown = (...routes: ('list-connections' | 'disconnect')[]): Promise<unknown> =>
  harness.emulator.client.setFaults({
    rest: routes.map((route) => ({ route, fault: '404' as const })),
    webhooks: [{ fault: 'drop' }],
  });

/** A browser in a session whose end is decided. */
async function ending(): Promise<Meeting> {
  const meeting = await openRoom(deps);
  await joinBrowser(harness, meeting);
  await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
  return meeting;
}
async function ask(meeting: Meeting, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await hangUpSession(deps, meeting.tenantId, meeting.sessionId);
    await passTime(harness, 16);
  }
}
const closings = () => harness.store.prisma.observation.findMany({ where: { phase: 'over' } });

describe('a video session that the vendor says it does not know', () => {
  it('is no proof at once: the leg is asked for again; when both the list and the request have known nothing for a minute, it is held to be gone, as indeterminate', async () => {
    const meeting = await ending();
    await unknown('list-connections', 'disconnect');
    await ask(meeting, 4);
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ state: 'ending', confirmed_at: null });
    expect(await closings()).toEqual([]);
    await ask(meeting, 4);
    expect((await readLegs(harness, meeting))[0]).toMatchObject({
      state: 'ended',
      outcome: 'indeterminate',
      reason: 'media-session-not-found',
      confirmed_at: expect.any(Date),
    });
    expect(await closings()).toMatchObject([
      { handle: 'media', source: 'look-up', outcome: 'indeterminate', reason: 'media-session-not-found' },
    ]);
    expect((await readSession(harness, meeting)).state).toBe('ended');

    // Should it be live after all, the inventory finds it and has it disconnected.
    expect(await listLegsAtProvider(harness, meeting)).toEqual(['webrtc']);
    await harness.emulator.client.resetFaults();
    await passTime(harness, 31);
    await sweepInventory(deps, null);
    await harness.emulator.client.awaitLegsUp(0, { kind: 'webrtc' });
  });

  it('is not believed of the request alone, while the list shows the connection', async () => {
    const meeting = await ending();
    await unknown('disconnect');
    await ask(meeting, 10);
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ state: 'ending', confirmed_at: null });
    expect(await closings()).toEqual([]);
    expect(await listLegsAtProvider(harness, meeting)).toEqual(['webrtc']);
  });

  it('is not believed of a session that runs, however often', async () => {
    const meeting = await openRoom(deps);
    await joinBrowser(harness, meeting);
    await unknown('list-connections', 'disconnect');
    for (let i = 0; i < 8; i++) {
      await passTime(harness, 31);
      await sweepInventory(deps, null);
    }
    expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['joined']);
    expect(await closings()).toEqual([]);
  });

  it('after other answers counts anew', async () => {
    const meeting = await ending();
    await unknown('list-connections', 'disconnect');
    await ask(meeting, 4);
    await harness.emulator.client.setFaults({
      rest: [
        { route: 'list-connections', fault: '500' },
        { route: 'disconnect', fault: '500' },
      ],
      webhooks: [{ fault: 'drop' }],
    });
    await ask(meeting, 1);
    await unknown('list-connections', 'disconnect');
    await ask(meeting, 4);
    expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['ending']);
    await ask(meeting, 4);
    await untilLegs(harness, meeting, 'webrtc', ['ended']);
  });
});
