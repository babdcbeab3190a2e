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
  upAtVendor,
  type Meeting,
} from '../testing/meeting.ts';
import { passTime, startOver } from '../testing/pass-time.ts';
import { setStage, type Stage, type World } from '../testing/test-harness.ts';

let stage: Stage;
let world: World;
beforeAll(async () => {
  stage = await setStage();
  world = stage.worlds.unified;
});
beforeEach(() => startOver(stage));
afterAll(() => stage.close());

const unknown = (...routes: ('list-connections' | 'disconnect')[]): Promise<unknown> =>
  stage.emulator.client.setFaults({
    rest: routes.map((route) => ({ route, fault: '404' as const })),
    webhooks: [{ fault: 'drop' }],
  });

/** A browser in a session whose end is decided. */
async function ending(): Promise<Meeting> {
  const meeting = await openRoom(world);
  await joinBrowser(stage, meeting);
  await endSession(world, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
  return meeting;
}
async function ask(meeting: Meeting, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await hangUpSession(world, meeting.tenantId, meeting.sessionId);
    await passTime(stage, 16);
  }
}
const closings = () => stage.store.prisma.observation.findMany({ where: { phase: 'over' } });

describe('a video session that the vendor says it does not know', () => {
  it('is no proof at once: the leg is asked for again; when both the list and the request have known nothing for a minute, it is held to be gone, as indeterminate', async () => {
    const meeting = await ending();
    await unknown('list-connections', 'disconnect');
    await ask(meeting, 4);
    expect((await readLegs(stage, meeting))[0]).toMatchObject({ state: 'ending', confirmed_at: null });
    expect(await closings()).toEqual([]);
    await ask(meeting, 4);
    expect((await readLegs(stage, meeting))[0]).toMatchObject({
      state: 'ended',
      outcome: 'indeterminate',
      reason: 'media-session-not-found',
      confirmed_at: expect.any(Date),
    });
    expect(await closings()).toMatchObject([
      { handle: 'media', source: 'look-up', outcome: 'indeterminate', reason: 'media-session-not-found' },
    ]);
    expect((await readSession(stage, meeting)).state).toBe('ended');

    // Should it be live after all, the inventory finds it and has it disconnected.
    expect(await upAtVendor(stage, meeting)).toEqual(['webrtc']);
    await stage.emulator.client.resetFaults();
    await passTime(stage, 31);
    await sweepInventory(world, null);
    await stage.emulator.client.awaitLegsUp(0, { kind: 'webrtc' });
  });

  it('is not believed of the request alone, while the list shows the connection', async () => {
    const meeting = await ending();
    await unknown('disconnect');
    await ask(meeting, 10);
    expect((await readLegs(stage, meeting))[0]).toMatchObject({ state: 'ending', confirmed_at: null });
    expect(await closings()).toEqual([]);
    expect(await upAtVendor(stage, meeting)).toEqual(['webrtc']);
  });

  it('is not believed of a session that runs, however often', async () => {
    const meeting = await openRoom(world);
    await joinBrowser(stage, meeting);
    await unknown('list-connections', 'disconnect');
    for (let i = 0; i < 8; i++) {
      await passTime(stage, 31);
      await sweepInventory(world, null);
    }
    expect((await readLegs(stage, meeting)).map((leg) => leg.state)).toEqual(['joined']);
    expect(await closings()).toEqual([]);
  });

  it('after other answers counts anew', async () => {
    const meeting = await ending();
    await unknown('list-connections', 'disconnect');
    await ask(meeting, 4);
    await stage.emulator.client.setFaults({
      rest: [
        { route: 'list-connections', fault: '500' },
        { route: 'disconnect', fault: '500' },
      ],
      webhooks: [{ fault: 'drop' }],
    });
    await ask(meeting, 1);
    await unknown('list-connections', 'disconnect');
    await ask(meeting, 4);
    expect((await readLegs(stage, meeting)).map((leg) => leg.state)).toEqual(['ending']);
    await ask(meeting, 4);
    await untilLegs(stage, meeting, 'webrtc', ['ended']);
  });
});
