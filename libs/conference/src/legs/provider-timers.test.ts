import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RestLogEntry } from '@partyline/vonage-emulator/control-client';
import { dialOut, requestDialOut } from './dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { openBridge } from './open-bridge.ts';
import { reconcile } from '../reconciliation/reconcile.ts';
import { executeSql, joinByPhone, joinBrowser, openRoom, readLegs, until, untilLegs } from '../testing/meeting.ts';
import { countHangUpRequests, passTime, reconcileUntilQuiet, resetHarness } from '../testing/pass-time.ts';
import { startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';
import { withProviders } from '../testing/with-providers.ts';

let harness: TestHarness;
let deps: TestDeps;
let phones = 0;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

/** Whole seconds of the timer round the end of a session up. */
const GRACE_S = 1;
const readTimers = ({ body }: RestLogEntry): { length: unknown; ringing: unknown } => ({
  length: (body as Record<string, unknown>)['length_timer'],
  ringing: (body as Record<string, unknown>)['ringing_timer'],
});
const listCreateRequests = (): Promise<RestLogEntry[]> => harness.emulator.client.restLog({ route: 'create-call' });

async function requestCall(roomId: string, mode: 'answer' | 'no-answer'): Promise<{ phone: string; legId: string }> {
  const phone = `+4479466${String((phones += 1)).padStart(5, '0')}`;
  await harness.emulator.client.setPhone(phone, { mode });
  const { legId } = await requestDialOut(deps, deps.tenantId, roomId, { phone });
  return { phone, legId };
}

describe("the dead-man's timers of a call (I4)", () => {
  it.each([
    { durationS: 60, goneS: 0 },
    { durationS: 60, goneS: 30 },
    { durationS: 600, goneS: 300 },
    { durationS: 3_600, goneS: 0 },
    { durationS: 7_200, goneS: 0 },
    { durationS: 7_200, goneS: 7_100 },
    { durationS: 36_000, goneS: 0 },
    { durationS: 36_000, goneS: 30_000 },
  ])(
    'are at most the remaining time of a session of $durationS s after $goneS s, and two hours',
    async ({ durationS, goneS }) => {
      const meeting = await openRoom(deps, { max_duration_s: durationS });
      await passTime(harness, goneS);
      const { legId } = await requestCall(meeting.roomId, 'no-answer');
      await dialOut(deps, meeting.tenantId, legId);
      // Also when the job was lost and the reconciler dials.
      await requestCall(meeting.roomId, 'no-answer');
      await executeSql(
        harness,
        `UPDATE leg SET created_at = created_at - interval '3 seconds' WHERE state = 'requested'`,
      );
      await reconcile(deps);
      const made = await listCreateRequests();
      expect(made).toHaveLength(2);
      for (const create of made) {
        const { length, ringing } = readTimers(create);
        expect(length).toBeLessThanOrEqual(Math.min(7_200, durationS - goneS + GRACE_S));
        expect(length).toBeGreaterThanOrEqual(1);
        expect(ringing).toBeGreaterThanOrEqual(1);
        expect(ringing).toBeLessThanOrEqual(60);
      }
    },
  );

  it('end the call at the provider without a request', async () => {
    const meeting = await openRoom(deps, { max_duration_s: 60 });
    const { phone, legId } = await requestCall(meeting.roomId, 'answer');
    // The timer is shortened to a second, so that the test does not wait.
    const createCall: TestDeps['voice']['createCall'] = (call) =>
      deps.voice.createCall({ ...call, lengthTimerS: Math.min(call.lengthTimerS, 1) });
    expect(await dialOut(withProviders(deps, { voice: { createCall } }), meeting.tenantId, legId)).toBe('dialled');
    const person = await harness.emulator.client.awaitRing(phone);
    await harness.emulator.client.awaitEnded(person.id);
    expect((await harness.emulator.client.caller(person.id)).endReason).toBe('length-timer');
    expect((await harness.emulator.client.restLog({ route: 'hangup' })).length).toBe(0);
  });

  it('are not needed after the deadline of a session: no call is placed (I5)', async () => {
    const meeting = await openRoom(deps, { max_duration_s: 60 });
    const { legId } = await requestCall(meeting.roomId, 'answer');
    await executeSql(
      harness,
      `UPDATE session SET created_at = created_at - interval '61 seconds', due_at = due_at - interval '61 seconds'`,
    );
    expect(await dialOut(deps, meeting.tenantId, legId)).toBe('not-wanted');
    await passTime(harness, 3);
    await reconcile(deps);
    expect(await listCreateRequests()).toEqual([]);
    // The call was never placed, so the leg ends at once.
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ state: 'ended', reason: 'cancelled-before-dial' });
  });

  it('are not needed after the deadline of a session: no bridge leg is dialled', async () => {
    const meeting = await openRoom(deps, { max_duration_s: 60 });
    harness.jobsDown = true;
    await joinBrowser(harness, meeting);
    await joinByPhone(harness, deps, meeting);
    harness.jobsDown = false;
    // The session passes its deadline while its video session is opened.
    await harness.store.prisma.session.update({ where: { id: meeting.sessionId }, data: { media_session_id: null } });
    const openSession = async (input: { conversation: string }) => {
      const opened = await deps.media.openSession(input);
      await executeSql(
        harness,
        `UPDATE session SET created_at = created_at - interval '61 seconds', due_at = due_at - interval '61 seconds'`,
      );
      return opened;
    };
    expect(await openBridge(withProviders(deps, { media: { openSession } }), meeting.tenantId, meeting.sessionId)).toBe(
      'not-wanted',
    );
    expect(await harness.emulator.client.restLog({ route: 'dial' })).toEqual([]);
  });
});

describe('a call that is answered after the end of its session', () => {
  it('ends by the reply to its answer webhook, without a hang-up request', async () => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requestCall(meeting.roomId, 'no-answer');
    await dialOut(deps, meeting.tenantId, legId);
    const person = await harness.emulator.client.awaitRing(phone);
    harness.jobsDown = true;
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await harness.emulator.client.answer(person.id);
    await harness.emulator.client.awaitEnded(person.id);
    const [leg] = (await harness.emulator.client.ledger({ callId: person.callId })).legs;
    expect(leg).toMatchObject({ answeredAt: expect.any(Number), endedAt: expect.any(Number) });
    expect(await countHangUpRequests(harness)).toEqual({});
    await untilLegs(harness, meeting, 'outbound', ['ended']);
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ joined_at: null, hangup_reason: 'ended-by-tenant' });
  });

  it('is hung up again at once, before the back-off has passed', async () => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requestCall(meeting.roomId, 'no-answer');
    await dialOut(deps, meeting.tenantId, legId);
    const person = await harness.emulator.client.awaitRing(phone);
    harness.jobsDown = true;
    // The provider accepts the hang-up of the ringing call without effect. The answer arrives as an
    // event, and the reply to the answer webhook is late.
    await harness.emulator.client.setFaults({ switches: { hangupKeepsLegAlive: true } });
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await executeSql(harness, `UPDATE session SET ending_at = ending_at - interval '3 seconds'`);
    await executeSql(harness, 'UPDATE leg SET hangup_attempts = 8');
    await reconcile(deps);
    expect((await readLegs(harness, meeting))[0]).toMatchObject({
      state: 'ending',
      hangup_attempts: 9,
      hangup_attempted_at: expect.any(Date),
    });
    await harness.emulator.client.setFaults({ webhooks: [{ kind: 'answer', fault: 'delay', delayMs: 60_000 }] });
    await harness.emulator.client.answer(person.id);
    await until(async () => (await readLegs(harness, meeting)).map((leg) => leg.hangup_attempted_at), [null]);
    // No time passes.
    await reconcile(deps);
    await harness.emulator.client.awaitEnded(person.id);
    expect(await countHangUpRequests(harness)).toEqual({ [person.callId]: 2 });
    await reconcileUntilQuiet(harness, deps);
  });
});
