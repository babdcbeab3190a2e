import { ProviderError } from '@partyline/provider-contract/provider-error';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { dialOut, requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { openBridge } from '../legs/open-bridge.ts';
import { reconcile } from '../reconciliation/reconcile.ts';
import { sweepInventory } from '../reconciliation/sweep-inventory.ts';
import { joinByPhone, joinBrowser, openRoom, readLegs, type Meeting } from '../testing/meeting.ts';
import { passTime, resetHarness } from '../testing/pass-time.ts';
import { startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';
import { withProviders } from '../testing/with-providers.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

const PHONE = '+447946500009';
const rejectWithoutReply = () =>
  Promise.reject(new ProviderError('unknown', 'upstream-timeout', 'The provider did not reply in time.'));
/** Returns deps whose requests to the provider get no reply. */
const withoutReplies = (): TestDeps =>
  withProviders(deps, {
    voice: { getCall: rejectWithoutReply, listLiveCalls: rejectWithoutReply, hangUp: rejectWithoutReply },
    media: { listConnections: rejectWithoutReply, disconnect: rejectWithoutReply },
  });
const listClosings = () => harness.store.prisma.observation.findMany({ where: { phase: 'over' } });

/** Places a call whose reply and webhooks are lost, and ends its session. */
async function placeUnobservedCall(): Promise<Meeting> {
  const meeting = await openRoom(deps);
  await harness.emulator.client.setPhone(PHONE, { mode: 'no-answer' });
  await harness.emulator.client.setFaults({
    rest: [{ route: 'create-call', fault: 'applied-silent', next: 1 }],
    webhooks: [{ fault: 'drop' }],
  });
  const { legId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: PHONE });
  expect(await dialOut(deps, meeting.tenantId, legId)).toBe('unknown');
  await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
  return meeting;
}

it('an unobserved call is not ended while the provider does not reply', async () => {
  const meeting = await placeUnobservedCall();
  await passTime(harness, 91);
  for (let round = 0; round < 4; round++) {
    await reconcile(withoutReplies());
    await expect(sweepInventory(withoutReplies(), null)).rejects.toMatchObject({ failure: 'unknown' });
    await passTime(harness, 61);
  }
  expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['ending']);
  expect(await listClosings()).toEqual([]);
});

it('an unobserved call is ended by a complete list that was requested after its ringing timer', async () => {
  const meeting = await placeUnobservedCall();
  const call = await harness.emulator.client.awaitRing(PHONE);
  await passTime(harness, 40);
  // A list with the call would set its call id; this list omits it.
  await harness.emulator.client.setFaults({ webhooks: [{ fault: 'drop' }], switches: { listOmitsLive: true } });
  await sweepInventory(deps, null);
  expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['ending']);
  await harness.emulator.client.hangUp(call.id);
  await passTime(harness, 51);
  await reconcile(deps);
  expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['ending']);
  await sweepInventory(deps, null);
  expect(await readLegs(harness, meeting)).toMatchObject([
    { state: 'ended', outcome: 'indeterminate', reason: 'unobserved' },
  ]);
  expect(await listClosings()).toMatchObject([{ handle: 'voice', source: 'look-up', reason: 'unobserved' }]);
});

it('an unobserved bridge leg is not ended while the list of connections fails', async () => {
  const meeting = await openRoom(deps);
  await joinBrowser(harness, meeting);
  await joinByPhone(harness, deps, meeting);
  const lost = withProviders(deps, { media: { dialSip: rejectWithoutReply } });
  expect(await openBridge(lost, meeting.tenantId, meeting.sessionId)).toBe('unknown');
  await passTime(harness, 91);
  const bridge = async () => (await readLegs(harness, meeting, 'bridge'))[0];
  for (let round = 0; round < 4; round++) {
    await reconcile(withoutReplies());
    await passTime(harness, 16);
  }
  expect(await bridge()).toMatchObject({ state: 'ending', hangup_reason: 'unobserved' });
  expect(await listClosings()).toEqual([]);
  await reconcile(deps);
  expect(await bridge()).toMatchObject({ state: 'ended', reason: 'unobserved' });
});
