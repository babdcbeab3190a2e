import { readConfig } from '@partyline/runtime/config';
import { FakeClock } from '@partyline/testing/fake-clock';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dialOut, requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { reconcile } from './reconcile.ts';
import { sweepInventory } from './sweep-inventory.ts';
import { breakTransactions } from '../testing/break-transactions.ts';
import { describeIncident } from '../testing/incidents.ts';
import {
  joinByPhone,
  joinBrowser,
  startMeeting,
  openRoom,
  readLegs,
  readSession,
  dialIn,
  until,
  untilLegs,
  listLegsAtProvider,
  type Meeting,
} from '../testing/meeting.ts';
import { countHangUpRequests, passTime, reconcileUntilQuiet, resetHarness } from '../testing/pass-time.ts';
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

const untilNoLegIsUp = () => harness.emulator.client.awaitLegsUp(0);
const dials = async (): Promise<number> => (await harness.emulator.client.restLog({ route: 'create-call' })).length;
const ALL_UP = ['sip-interconnect', 'voice-inbound', 'voice-sip', 'webrtc'];

/** Requests a call to a telephone that does not answer. */
async function requestCall(): Promise<{ meeting: Meeting; legId: string }> {
  const meeting = await openRoom(deps);
  await harness.emulator.client.setPhone('+447946500001', { mode: 'no-answer' });
  const { legId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: '+447946500001' });
  return { meeting, legId };
}

describe('deadlines', () => {
  it.each([
    { clock: 'five minutes behind', now: () => new Date(Date.now() - 300_000) },
    { clock: 'five minutes ahead', now: () => new Date(Date.now() + 300_000) },
    { clock: 'frozen', now: () => new FakeClock().now() },
  ])(
    `${describeIncident(11)}: any process ends the session by the database's clock, with its own clock $clock`,
    async ({ now }) => {
      const meeting = await startMeeting(harness, deps, { max_duration_s: 600 });
      harness.jobsDown = true;
      const skewed = { ...deps, clock: { now } };
      await passTime(harness, 540);
      await reconcile(skewed);
      await sweepInventory(skewed, null);
      expect(await listLegsAtProvider(harness, meeting)).toEqual(ALL_UP);
      await passTime(harness, 63);
      await reconcile(skewed);
      expect((await readSession(harness, meeting)).end_reason).toBe('max-duration');
      await reconcileUntilQuiet(harness, skewed);
      expect((await untilNoLegIsUp()).up).toBe(0);
    },
  );

  it(`${describeIncident(15)}: no timer can be zero, and each session has a deadline`, async () => {
    for (const variable of ['RECONCILE_MS', 'INVENTORY_MS'])
      expect(() => readConfig({ [variable]: '0' }, ['reconciler'])).toThrow(variable);
    expect(() => readConfig({ PROVIDER_TIMEOUT_MS: '0' }, ['provider'])).toThrow('PROVIDER_TIMEOUT_MS');
    const meeting = await openRoom(deps, { max_duration_s: 600 });
    await joinBrowser(harness, meeting);
    const { due_at, created_at } = await readSession(harness, meeting);
    expect(due_at.getTime() - created_at.getTime()).toBe(600_000);
    await passTime(harness, 603);
    await reconcileUntilQuiet(harness, deps);
    await reconcileUntilQuiet(harness, deps);
    expect((await untilNoLegIsUp()).up).toBe(0);
  });
});

describe('counters', () => {
  it(`${describeIncident(12)}: presence is counted from the rows, without phantoms and duplicates`, async () => {
    const meeting = await openRoom(deps, { max_participants: 1 });
    const first = await joinByPhone(harness, deps, meeting);
    await harness.emulator.client.setFaults({ switches: { neverSendsCompleted: true } });
    await harness.emulator.client.hangUp(first.id);
    const second = await dialIn(harness);
    await harness.emulator.client.key(second.id, `${meeting.pin}#`);
    await harness.emulator.client.awaitEnded(second.id);
    await passTime(harness, 31);
    await sweepInventory(deps, null);
    await harness.emulator.client.setFaults({
      webhooks: [
        { kind: 'event', fault: 'duplicate' },
        { kind: 'transfer', fault: 'duplicate' },
      ],
    });
    for (let turn = 0; turn < 3; turn++) {
      const next = await joinByPhone(harness, deps, meeting);
      await harness.emulator.client.hangUp(next.id);
      await until(
        async () => (await readLegs(harness, meeting, 'inbound')).filter((leg) => leg.state !== 'ended').length,
        0,
      );
    }
    expect((await readLegs(harness, meeting, 'inbound')).filter((leg) => leg.joined_at !== null)).toHaveLength(4);
  });
});

describe('the reconciler', () => {
  it(`${describeIncident(13)}: it is on by default`, () => {
    expect(readConfig({}, ['reconciler']).reconciler).toEqual({
      PARTYLINE_RECONCILER: 'on',
      RECONCILE_MS: 1_000,
      INVENTORY_MS: 60_000,
    });
  });

  it(`${describeIncident(13)}: a live call of a running session is not hung up, also after 123 seconds`, async () => {
    const meeting = await startMeeting(harness, deps);
    for (const seconds of [123, 600, 1_800]) {
      await passTime(harness, seconds);
      await reconcile(deps);
      expect(await sweepInventory(deps, null)).toMatchObject({ orphans: 0, missing: 0 });
    }
    expect(await countHangUpRequests(harness)).toEqual({});
    expect(await listLegsAtProvider(harness, meeting)).toEqual(ALL_UP);
  });

  it(`${describeIncident(13)}: a confirmed leg is never requested again`, async () => {
    const meeting = await startMeeting(harness, deps);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await reconcileUntilQuiet(harness, deps);
    expect((await untilNoLegIsUp()).up).toBe(0);
    const asked = await countHangUpRequests(harness);
    for (let half = 0; half < 4; half++) {
      await passTime(harness, 30);
      await Promise.all([reconcile(deps), reconcile(deps)]);
      await sweepInventory(deps, null);
    }
    expect(await countHangUpRequests(harness)).toEqual(asked);
  });

  it(`${describeIncident(13)}: a restart loses no timer, as the deadlines are in the rows`, async () => {
    const meeting = await openRoom(deps, { browsers_left_s: 60 });
    const { connectionId } = await joinBrowser(harness, meeting);
    const caller = await joinByPhone(harness, deps, meeting);
    // From here no job is enqueued, and no enqueued job runs.
    harness.jobsDown = true;
    await harness.emulator.client.leaveWebrtc(connectionId);
    await untilLegs(harness, meeting, 'webrtc', ['ended']);
    await passTime(harness, 63);
    await reconcile(deps);
    await reconcileUntilQuiet(harness, deps);
    await harness.emulator.client.awaitEnded(caller.id);
    expect((await readSession(harness, meeting)).end_reason).toBe('browsers-left');
  });

  it(`${describeIncident(13)}: a failed look-up closes nothing`, async () => {
    const meeting = await openRoom(deps);
    const { callId } = await joinByPhone(harness, deps, meeting);
    await passTime(harness, 31);
    await harness.emulator.client.setFaults({
      switches: { listOmitsLive: true },
      rest: [
        { route: 'get-call', fault: '503', next: 1 },
        { route: 'get-call', fault: '404', next: 1 },
        { route: 'get-call', fault: 'reset', next: 1 },
      ],
    });
    for (let look = 0; look < 3; look++) expect(await sweepInventory(deps, null)).toMatchObject({ missing: 1 });
    expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['joined']);
    expect((await harness.emulator.client.ledger({ callId })).up).toBe(1);
  });

  it(`${describeIncident(13)}: a call whose id could not be stored is not dialled again, and is found`, async () => {
    const { meeting, legId } = await requestCall();
    await harness.emulator.client.setFaults({ webhooks: [{ fault: 'drop' }] });
    let failures = 0;
    const createCall: TestDeps['voice']['createCall'] = async (call) => {
      const made = await deps.voice.createCall(call);
      failures = 1;
      return made;
    };
    const store = breakTransactions(harness.store, () => failures-- > 0);
    expect(await dialOut(withProviders({ ...deps, store }, { voice: { createCall } }), meeting.tenantId, legId)).toBe(
      'unknown',
    );
    await passTime(harness, 3);
    await reconcile(deps);
    expect(await dials()).toBe(1);
    expect(await sweepInventory(deps, null)).toMatchObject({ adopted: 1 });
    expect((await readLegs(harness, meeting))[0]?.voice_call_id).toBe(
      (await harness.emulator.client.awaitRing('+447946500001')).callId,
    );
  });

  it(`${describeIncident(13)}: ten restarts during a dial place one call`, async () => {
    const { meeting, legId } = await requestCall();
    await harness.emulator.client.setFaults({ webhooks: [{ fault: 'drop' }] });
    let made = (): void => undefined;
    const dialled = new Promise<void>((resolve) => (made = resolve));
    const createCall: TestDeps['voice']['createCall'] = async (call) => {
      await deps.voice.createCall(call);
      made();
      // The process dies here.
      return new Promise<never>(() => undefined);
    };
    void dialOut(withProviders(deps, { voice: { createCall } }), meeting.tenantId, legId);
    await dialled;
    for (let restart = 0; restart < 10; restart++) {
      await passTime(harness, 12);
      await reconcile(deps);
      await dialOut(deps, meeting.tenantId, legId);
    }
    expect(await dials()).toBe(1);
    // After the provider's ringing timer the leg is ended, not dialled again.
    expect((await readLegs(harness, meeting)).map((leg) => leg.hangup_reason)).toEqual(['unobserved']);
  });
});

describe('failures of other items', () => {
  it(`${describeIncident(14)}: a hang-up that throws stops neither the other legs nor the other handle`, async () => {
    const meetings = [await startMeeting(harness, deps), await startMeeting(harness, deps)];
    for (const meeting of meetings) await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    const media = { disconnect: () => Promise.reject(new TypeError('a bug of ours')) };
    await passTime(harness, 3);
    await reconcile(withProviders(deps, { media }));
    await harness.emulator.client.awaitLegsUp(0, { kind: 'voice-inbound' });
    await harness.emulator.client.awaitLegsUp(0, { kind: 'voice-sip' });
    expect((await harness.emulator.client.ledger({ kind: 'webrtc' })).up).toBe(2);
    await reconcileUntilQuiet(harness, deps);
    expect((await untilNoLegIsUp()).up).toBe(0);
  });

  it(`${describeIncident(16)}: only a bridge leg that the provider drops is dialled again, once`, async () => {
    const meeting = await startMeeting(harness, deps);
    await harness.emulator.client.setFaults({
      webhooks: [
        { kind: 'sip-callback', fault: 'reorder', next: 1 },
        { kind: 'sip-callback', fault: 'duplicate' },
        { kind: 'session-callback', fault: 'duplicate' },
        { kind: 'event', fault: 'duplicate' },
      ],
    });
    const [bridge] = await readLegs(harness, meeting, 'bridge');
    await deps.media.disconnect({
      mediaSessionId: meeting.mediaSessionId,
      connectionId: bridge?.media_connection_id ?? '',
    });
    await untilLegs(harness, meeting, 'bridge', ['ended']);
    await passTime(harness, 4);
    await Promise.all([reconcile(deps), reconcile(deps)]);
    await untilLegs(harness, meeting, 'bridge', ['ended', 'joined']);
    await until(() => listLegsAtProvider(harness, meeting), ALL_UP);
    expect((await harness.emulator.client.restLog({ route: 'dial' })).length).toBe(2);
    expect(
      [...(await readLegs(harness, meeting, 'webrtc')), ...(await readLegs(harness, meeting, 'inbound'))].map(
        (leg) => leg.state,
      ),
    ).toEqual(['joined', 'joined']);
    expect((await readSession(harness, meeting)).state).toBe('live');
  });
});
