import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dialOut, requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { endRoom } from '../rooms/end-room.ts';
import { hangUpLeg } from '../hang-ups/hang-up-leg.ts';
import { openBridge } from '../legs/open-bridge.ts';
import { reconcile } from './reconcile.ts';
import { sweepInventory } from './sweep-inventory.ts';
import { describeIncident } from '../testing/incidents.ts';
import {
  executeSql,
  joinByPhone,
  joinBrowser,
  startMeeting,
  openRoom,
  readLegs,
  readSession,
  until,
  untilLegs,
  listLegsAtProvider,
  type Meeting,
} from '../testing/meeting.ts';
import { countHangUpRequests, passTime, reconcileUntilQuiet, resetHarness } from '../testing/pass-time.ts';
import { startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

/** Ends a session without Redis, so that only the reconciler hangs up. */
async function end(meeting: Meeting): Promise<void> {
  harness.jobsDown = true;
  await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
}
const untilNoLegIsUp = () => harness.emulator.client.awaitLegsUp(0);
const countObservedEnds = (): Promise<number> => harness.store.prisma.observation.count({ where: { phase: 'over' } });
/** Runs rounds of the reconciler, 16 s apart. */
async function runRounds(count: number): Promise<void> {
  for (let round = 0; round < count; round++) {
    await passTime(harness, 16);
    await reconcile(deps);
  }
}

describe('a hang-up without effect', () => {
  it(`${describeIncident(1)}: a rejected hang-up leaves the leg unconfirmed and is retried`, async () => {
    const meeting = await openRoom(deps);
    const { callId } = await joinByPhone(harness, deps, meeting);
    await end(meeting);
    for (const fault of ['400', '401', '403', '404', '409'] as const) {
      await harness.emulator.client.setFaults({ rest: [{ route: 'hangup', fault }] });
      await runRounds(1);
      expect((await readLegs(harness, meeting))[0]).toMatchObject({ state: 'ending', confirmed_at: null });
    }
    expect(await countHangUpRequests(harness)).toEqual({ [callId]: 5 });
    await harness.emulator.client.resetFaults();
    await reconcileUntilQuiet(harness, deps);
    expect((await untilNoLegIsUp()).up).toBe(0);
  });

  it(`${describeIncident(2)}: a 204 closes nothing, and the hang-up is retried until the end is observed`, async () => {
    const meeting = await startMeeting(harness, deps);
    await harness.emulator.client.setFaults({
      rest: [{ route: 'disconnect', fault: '204-no-effect' }],
      switches: { hangupKeepsLegAlive: true },
    });
    await end(meeting);
    await runRounds(4);
    expect((await readLegs(harness, meeting)).map((leg) => [leg.state, leg.hangup_attempts])).toEqual(
      Array.from({ length: 3 }, () => ['ending', 4]),
    );
    expect([await countObservedEnds(), (await readSession(harness, meeting)).state]).toEqual([0, 'ending']);
    await harness.emulator.client.resetFaults();
    await reconcileUntilQuiet(harness, deps);
    expect((await untilNoLegIsUp()).up).toBe(0);
  });

  it(`${describeIncident(7)}: not found closes nothing while the list shows the call`, async () => {
    const meeting = await openRoom(deps);
    const { callId } = await joinByPhone(harness, deps, meeting);
    await harness.emulator.client.setFaults({ switches: { hangup404WhileLive: true, get404WhileLive: true } });
    await end(meeting);
    await runRounds(3);
    expect(await sweepInventory(deps, null)).toMatchObject({ calls: 1, missing: 0 });
    expect((await readLegs(harness, meeting))[0]).toMatchObject({
      state: 'ending',
      confirmed_at: null,
      hangup_attempts: 3,
    });
    expect(await countHangUpRequests(harness)).toEqual({ [callId]: 3 });
    await harness.emulator.client.resetFaults();
    await reconcileUntilQuiet(harness, deps);
    expect((await untilNoLegIsUp()).up).toBe(0);
  });

  it(`${describeIncident(10)}: a request without a reply times out, is counted and is retried`, async () => {
    const meeting = await openRoom(deps);
    await joinByPhone(harness, deps, meeting);
    await end(meeting);
    await harness.emulator.client.setFaults({ rest: [{ route: 'hangup', fault: 'hang', next: 1 }] });
    const [leg] = await readLegs(harness, meeting);
    expect(await hangUpLeg(deps, deps.tenantId, leg?.id ?? '')).toEqual({ retryAfterMs: 1_000 });
    expect(harness.counters.at(-1)).toContain('upstream-timeout');
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ state: 'ending', lease_until: null });
    await reconcileUntilQuiet(harness, deps);
    expect((await untilNoLegIsUp()).up).toBe(0);
  });
});

describe('the end of a session in each state of a call', () => {
  async function requestCall(mode: 'answer' | 'no-answer'): Promise<{ meeting: Meeting; legId: string }> {
    const meeting = await openRoom(deps);
    await harness.emulator.client.setPhone('+447946400001', { mode });
    const { legId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: '+447946400001' });
    return { meeting, legId };
  }
  const dial = ({ meeting, legId }: { meeting: Meeting; legId: string }) => dialOut(deps, meeting.tenantId, legId);

  it.each<{ state: string; arrange: () => Promise<Meeting> }>([
    { state: 'requested', arrange: async () => (await requestCall('answer')).meeting },
    {
      state: 'dialling with a lost reply',
      arrange: async () => {
        const made = await requestCall('no-answer');
        await harness.emulator.client.setFaults({ rest: [{ route: 'create-call', fault: 'applied-silent', next: 1 }] });
        await dial(made);
        return made.meeting;
      },
    },
    {
      state: 'ringing',
      arrange: async () => {
        const made = await requestCall('no-answer');
        await dial(made);
        await untilLegs(harness, made.meeting, 'outbound', ['ringing']);
        return made.meeting;
      },
    },
    {
      state: 'ringing, with hang-ups rejected in that state',
      arrange: async () => {
        const made = await requestCall('no-answer');
        await dial(made);
        await untilLegs(harness, made.meeting, 'outbound', ['ringing']);
        await harness.emulator.client.setFaults({ rest: [{ route: 'hangup', fault: '400', next: 3 }] });
        return made.meeting;
      },
    },
    {
      state: 'joined',
      arrange: async () => {
        const made = await requestCall('answer');
        await dial(made);
        await untilLegs(harness, made.meeting, 'outbound', ['joined']);
        return made.meeting;
      },
    },
  ])(`${describeIncident(3)}: a call ends from the state $state`, async ({ arrange }) => {
    const meeting = await arrange();
    await end(meeting);
    await reconcileUntilQuiet(harness, deps);
    expect((await untilNoLegIsUp()).up).toBe(0);
    expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['ended']);
  });

  it(`${describeIncident(4)}: the next round hangs up a call that was answered after the end`, async () => {
    const meeting = await openRoom(deps);
    await joinBrowser(harness, meeting);
    await joinByPhone(harness, deps, meeting);
    let answer = (): void => undefined;
    harness.answerGate = new Promise((resolve) => (answer = resolve));
    await openBridge(deps, meeting.tenantId, meeting.sessionId);
    await end(meeting);
    await runRounds(1);
    await until(
      async () => (await readLegs(harness, meeting, 'bridge')).map((leg) => leg.media_closed_at),
      [expect.any(Date)],
    );
    answer();
    await until(
      async () => (await readLegs(harness, meeting, 'bridge')).map((leg) => leg.voice_call_id),
      [expect.any(String)],
    );
    // No time passes: the next attempt is due at once.
    await reconcile(deps);
    expect((await untilNoLegIsUp()).up).toBe(0);
    const [call] = (await harness.emulator.client.ledger({ kind: 'voice-sip' })).legs;
    expect(call).toMatchObject({ endedAt: expect.any(Number) });
    expect(call?.answeredAt).toBeUndefined();
  });

  it(`${describeIncident(5)}: the end of a room hangs up each call in it`, async () => {
    const meeting = await startMeeting(harness, deps);
    harness.jobsDown = true;
    await endRoom(deps, meeting.tenantId, meeting.roomId);
    expect((await readLegs(harness, meeting)).map((leg) => leg.hangup_reason)).toEqual(
      Array(3).fill('ended-by-tenant'),
    );
    await reconcileUntilQuiet(harness, deps);
    expect((await untilNoLegIsUp()).up).toBe(0);
    expect((await harness.emulator.client.caller(meeting.caller.id)).state).toBe('ended');
  });
});

describe('a provider that does not report', () => {
  it(`${describeIncident(6)}: a live leg that the list omits is hung up by its stored id`, async () => {
    const meeting = await startMeeting(harness, deps);
    await harness.emulator.client.setFaults({ switches: { listOmitsLive: true } });
    for (let sweep = 0; sweep < 2; sweep++) {
      await passTime(harness, 31);
      await sweepInventory(deps, null);
    }
    expect(await listLegsAtProvider(harness, meeting)).toHaveLength(4);
    expect(await countHangUpRequests(harness)).toEqual({});
    await end(meeting);
    await reconcileUntilQuiet(harness, deps);
    expect((await untilNoLegIsUp()).up).toBe(0);
  });

  it(`${describeIncident(8)}: an unreported end is looked up, and the leg and its clocks follow`, async () => {
    const meeting = await openRoom(deps, { phones_left_s: 60 });
    const caller = await joinByPhone(harness, deps, meeting);
    await harness.emulator.client.setFaults({ switches: { neverSendsCompleted: true } });
    await harness.emulator.client.hangUp(caller.id);
    await passTime(harness, 31);
    await sweepInventory(deps, null);
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ state: 'ended', ended_at: expect.any(Date) });
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'live', due_reason: 'phones-left' });
  });

  it(`${describeIncident(9)}: a live call whose leg has ended is hung up by the sweep`, async () => {
    const meeting = await startMeeting(harness, deps);
    await executeSql(
      harness,
      `UPDATE leg SET state = 'ended', ended_at = now(), voice_closed_at = now(), media_closed_at = now()
       WHERE session_id = $1`,
      [meeting.sessionId],
    );
    await harness.store.prisma.session.update({
      where: { id: meeting.sessionId },
      data: { state: 'ended', ended_at: new Date() },
    });
    await passTime(harness, 31);
    await sweepInventory(deps, null);
    await passTime(harness, 31);
    await sweepInventory(deps, null);
    await reconcileUntilQuiet(harness, deps);
    expect((await untilNoLegIsUp()).up).toBe(0);
  });
});
