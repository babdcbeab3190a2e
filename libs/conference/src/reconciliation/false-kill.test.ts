import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { applyLegEvent } from '../legs/apply-leg-event.ts';
import { openBridge } from '../legs/open-bridge.ts';
import { sweepInventory } from './sweep-inventory.ts';
import { dialIn, joinByPhone, joinBrowser, openRoom, readLegs, until } from '../testing/meeting.ts';
import { passTime, resetHarness } from '../testing/pass-time.ts';
import { startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness();
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

const falseKills = (): string[] => harness.counters.filter((name) => name.startsWith('false_kill'));

it('counts a false kill once when the late webhook of a hung-up orphan names a leg of a running session', async () => {
  const deps = harness.deps.unified;
  harness.counters.length = 0;
  const meeting = await openRoom(deps);
  await joinBrowser(harness, meeting);
  await joinByPhone(harness, deps, meeting);
  // The answer webhook of the bridge leg is delayed for longer than two inventories.
  let release = (): void => undefined;
  harness.answerGate = new Promise((resolve) => (release = resolve));
  expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('dialled');
  await until(
    async () =>
      (await harness.emulator.client.ledger()).legs.some(
        (leg) => leg.kind === 'voice-sip' && leg.endedAt === undefined,
      ),
    true,
  );
  await sweepInventory(deps, null);
  await passTime(harness, 31);
  expect(await sweepInventory(deps, null)).toMatchObject({ orphans: 1 });
  expect(falseKills()).toEqual([]);
  release();
  await until(
    async () => (await readLegs(harness, meeting, 'bridge')).map((leg) => leg.voice_call_id),
    [expect.any(String)],
  );
  await sweepInventory(deps, null);
  await sweepInventory(deps, null);
  expect(falseKills()).toEqual(['false_kill bridge platform']);
});

it('counts a caller before admission whose call was falsely reported over and hung up as an orphan', async () => {
  const deps = harness.deps.unified;
  harness.counters.length = 0;
  const person = await dialIn(harness);
  const token = { accountId: null, jti: randomUUID(), expiresAt: new Date(Date.now() + 300_000) };
  const over = { kind: 'call', callId: person.callId, phase: 'over', at: new Date() } as const;
  await applyLegEvent(deps, { via: 'callback', token }, over);
  await sweepInventory(deps, null);
  await passTime(harness, 31);
  expect(await sweepInventory(deps, null)).toMatchObject({ orphans: 1 });
  await harness.emulator.client.awaitEnded(person.id);
  await sweepInventory(deps, null);
  await sweepInventory(deps, null);
  expect(falseKills()).toEqual(['false_kill inbound platform']);
});
