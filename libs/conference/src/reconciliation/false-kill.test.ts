import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { openBridge } from '../legs/open-bridge.ts';
import { sweepInventory } from './sweep-inventory.ts';
import { callIn, joinBrowser, openRoom, readLegs, until } from '../testing/meeting.ts';
import { passTime, startOver } from '../testing/pass-time.ts';
import { setStage, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
beforeEach(() => startOver(stage));
afterAll(() => stage.close());

const falseKills = (): string[] => stage.counted.filter((name) => name.startsWith('false_kill'));

it('a call that was hung up as nobody’s and whose late webhook names a leg of a running session is counted as a false kill, once', async () => {
  const world = stage.worlds.unified;
  stage.counted.length = 0;
  const meeting = await openRoom(world);
  await joinBrowser(stage, meeting);
  await callIn(stage, world, meeting);
  // The bridge's call comes in and asks what to do, and that is held up for longer than two inventories.
  let release = (): void => undefined;
  stage.answersHeld = new Promise((resolve) => (release = resolve));
  expect(await openBridge(world, meeting.tenantId, meeting.sessionId)).toBe('dialled');
  await until(
    async () =>
      (await stage.emulator.client.ledger()).legs.some((leg) => leg.kind === 'voice-sip' && leg.endedAt === undefined),
    true,
  );
  await sweepInventory(world, null);
  await passTime(stage, 31);
  expect(await sweepInventory(world, null)).toMatchObject({ orphans: 1 });
  expect(falseKills()).toEqual([]);
  release();
  await until(
    async () => (await readLegs(stage, meeting, 'bridge')).map((leg) => leg.voice_call_id),
    [expect.any(String)],
  );
  await sweepInventory(world, null);
  await sweepInventory(world, null);
  expect(falseKills()).toEqual(['false_kill bridge']);
});
