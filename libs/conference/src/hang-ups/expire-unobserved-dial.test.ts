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
const away = () => Promise.reject(new ProviderError('unknown', 'upstream-timeout', 'The vendor did not answer in time.'));
/** Nothing that is asked of the vendor is answered. */
const cutOff = (): TestDeps =>
  withProviders(deps, {
    voice: { getCall: away, listLiveCalls: away, hangUp: away },
    media: { listConnections: away, disconnect: away },
  });
const closings = () => harness.store.prisma.observation.findMany({ where: { phase: 'over' } });

/** A phone was rung, nobody heard the vendor's answer, nothing that it sends comes through, and the session has ended. */
async function unheard(): Promise<Meeting> {
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

it('a rung phone of which nothing was ever heard is not given up while the vendor answers nothing, however long', async () => {
  const meeting = await unheard();
  await passTime(harness, 91);
  for (let round = 0; round < 4; round++) {
    await reconcile(cutOff());
    await expect(sweepInventory(cutOff(), null)).rejects.toMatchObject({ failure: 'unknown' });
    await passTime(harness, 61);
  }
  expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['ending']);
  expect(await closings()).toEqual([]);
});

it('is given up by a complete list of calls that was asked for once its ringing was over, and not by one before', async () => {
  const meeting = await unheard();
  const call = await harness.emulator.client.awaitRing(PHONE);
  await passTime(harness, 40);
  // It is on the list, and so is given its name; here the list leaves it out.
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
  expect(await closings()).toMatchObject([{ handle: 'voice', source: 'look-up', reason: 'unobserved' }]);
});

it('nor is a bridge given up by a list of connections that was not answered', async () => {
  const meeting = await openRoom(deps);
  await joinBrowser(harness, meeting);
  await joinByPhone(harness, deps, meeting);
  const lost = withProviders(deps, { media: { dialSip: away } });
  expect(await openBridge(lost, meeting.tenantId, meeting.sessionId)).toBe('unknown');
  await passTime(harness, 91);
  const bridge = async () => (await readLegs(harness, meeting, 'bridge'))[0];
  for (let round = 0; round < 4; round++) {
    await reconcile(cutOff());
    await passTime(harness, 16);
  }
  expect(await bridge()).toMatchObject({ state: 'ending', hangup_reason: 'unobserved' });
  expect(await closings()).toEqual([]);
  await reconcile(deps);
  expect(await bridge()).toMatchObject({ state: 'ended', reason: 'unobserved' });
});
