import { VerdictError } from '@partyline/domain/verdict';
import { listDueWork } from '@partyline/store/reconciliation/due-work';
import type { PhoneBehaviour } from '@partyline/vonage-emulator/control-client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { applyLegEvent } from './apply-leg-event.ts';
import { dialOut, requestDialOut } from './dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { hangUpSession } from '../hang-ups/hang-up-session.ts';
import {
  moveLegsBack,
  openRoom,
  readLegs,
  readSession,
  until,
  untilLegs,
  listLegsAtProvider,
  type Meeting,
} from '../testing/meeting.ts';
import { startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';
import { withProviders } from '../testing/with-providers.ts';

let harness: TestHarness;
let deps: TestDeps;
let phones = 0;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
afterEach(async () => {
  harness.jobsDown = false;
  await harness.emulator.client.resetFaults();
});
afterAll(() => harness.close());

/** Asks for a phone of its own to be rung. */
async function requested(
  meeting: Meeting,
  behaviour: PhoneBehaviour = { mode: 'answer' },
): Promise<{ phone: string; legId: string }> {
  const phone = `+4479460${String((phones += 1)).padStart(5, '0')}`;
  await harness.emulator.client.setPhone(phone, behaviour);
  const { legId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone, name: 'Ada' });
  return { phone, legId };
}
const dial = (meeting: Meeting, legId: string) => dialOut(deps, meeting.tenantId, legId);
const created = async (phone: string) =>
  (await harness.emulator.client.restLog({ route: 'create-call' })).filter((entry) =>
    JSON.stringify(entry.body).includes(phone.slice(1)),
  );

describe('somebody is rung', () => {
  it('picks up and is in the conference; the call was made with its dead-man’s timers', async () => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requested(meeting);
    expect(await dial(meeting, legId)).toBe('dialled');
    await untilLegs(harness, meeting, 'outbound', ['joined']);
    const { id } = await harness.emulator.client.awaitRing(phone);
    expect((await harness.emulator.client.awaitJoined(id)).conversation).toBe(
      (await readSession(harness, meeting)).conversation,
    );
    const [request] = await created(phone);
    const body = request?.body as { length_timer: number; ringing_timer: number };
    // I4: never longer than the session may run, never ringing for more than a minute.
    expect(body.length_timer).toBeGreaterThan(3_500);
    expect(body.length_timer).toBeLessThanOrEqual(3_600);
    expect(body.ringing_timer).toBeLessThanOrEqual(60);
  });

  it.each<{ behaviour: PhoneBehaviour; outcome: string; reason: string }>([
    { behaviour: { mode: 'busy' }, outcome: 'client', reason: 'busy' },
    { behaviour: { mode: 'reject' }, outcome: 'client', reason: 'rejected' },
    { behaviour: { mode: 'unavailable' }, outcome: 'client', reason: 'unavailable' },
    { behaviour: { mode: 'failed' }, outcome: 'client', reason: 'cannot-route' },
  ])('$behaviour.mode: $reason, and told to the tenant', async ({ behaviour, outcome, reason }) => {
    const meeting = await openRoom(deps);
    const { legId } = await requested(meeting, behaviour);
    await dial(meeting, legId);
    await untilLegs(harness, meeting, 'outbound', ['ended']);
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ outcome, reason, answered_at: null });
    const told = await harness.store.prisma.outbox.findMany({
      where: { session_id: meeting.sessionId, type: 'leg.ended' },
    });
    expect(told.map((event) => event.data)).toMatchObject([{ legId, outcome, reason }]);
  });

  it.each(['timeout', 'unanswered'])('no answer, and the vendor gives up (%s): told as unanswered', async (status) => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requested(meeting, { mode: 'no-answer' });
    await dial(meeting, legId);
    const { callId } = await harness.emulator.client.awaitRing(phone);
    await untilLegs(harness, meeting, 'outbound', ['ringing']);
    // The ringing timer takes 45 s: what the vendor says then, said now.
    await applyLegEvent(deps, { via: 'look-up', accountId: null }, deps.voice.parseEvent({ uuid: callId, status }));
    expect((await readLegs(harness, meeting))[0]).toMatchObject({
      state: 'ended',
      outcome: 'client',
      reason: 'unanswered',
      answered_at: null,
    });
  });
});

describe('a request to ring', () => {
  it.each(['442079460018', '+0442079460018', '0044207', 'sip:ada@example.com', '+44 20 7946 0018', ''])(
    '%j, which is not E.164, is refused before anything is written',
    async (phone) => {
      const meeting = await openRoom(deps);
      await expect(requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone })).rejects.toMatchObject({
        verdict: { outcome: 'client', reason: 'not-e164' },
        field: '/phone',
      });
      expect(await readLegs(harness, meeting)).toEqual([]);
    },
  );

  it('shows a number on the roster only masked', async () => {
    const meeting = await openRoom(deps);
    const { participantId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: '+442079460018' });
    expect((await harness.store.prisma.participant.findUniqueOrThrow({ where: { id: participantId } })).name).toBe(
      '+442*******18',
    );
  });

  it('in another tenant’s room finds no room', async () => {
    const meeting = await openRoom(deps);
    await expect(requestDialOut(deps, 'ten_other', meeting.roomId, { phone: '+442079460018' })).rejects.toBeInstanceOf(
      VerdictError,
    );
    const { legId } = await requested(meeting);
    expect(await dialOut(deps, 'ten_other', legId)).toBe('not-wanted');
    expect((await readLegs(harness, meeting))[0]?.state).toBe('requested');
  });

  it('whose job was never sent is listed as owed until it is dialled', async () => {
    const meeting = await openRoom(deps);
    harness.jobsDown = true;
    const { legId } = await requested(meeting);
    const owed = async () => (await listDueWork(harness.store, { graceMs: 0 })).dial.some((each) => each.id === legId);
    expect(await owed()).toBe(true);
    harness.jobsDown = false;
    await dial(meeting, legId);
    expect(await owed()).toBe(false);
  });

  it('is dialled once, however many jobs there are', async () => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requested(meeting);
    const results = await Promise.all(Array.from({ length: 5 }, () => dial(meeting, legId)));
    expect(results.filter((result) => result === 'dialled')).toHaveLength(1);
    expect(await created(phone)).toHaveLength(1);
  });
});

describe('when the vendor or Redis fails', () => {
  it.each(['429', '503'] as const)('with %s: the job is tried again, and rings once', async (fault) => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requested(meeting);
    await harness.emulator.client.setFaults({ rest: [{ route: 'create-call', fault, next: 2 }] });
    await expect(dial(meeting, legId)).rejects.toMatchObject({ failure: 'busy' });
    await expect(dial(meeting, legId)).rejects.toMatchObject({ failure: 'busy' });
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ state: 'requested', dialled_at: null });
    expect(await dial(meeting, legId)).toBe('dialled');
    await untilLegs(harness, meeting, 'outbound', ['joined']);
    expect((await harness.emulator.client.phone(phone)).calls).toHaveLength(1);
  });

  it('busy for too long: given up, with the reason', async () => {
    const meeting = await openRoom(deps);
    const { legId } = await requested(meeting);
    await moveLegsBack(harness, meeting, 31);
    expect(await dial(meeting, legId)).toBe('not-wanted');
    expect((await readLegs(harness, meeting))[0]).toMatchObject({
      state: 'ended',
      outcome: 'upstream',
      reason: 'could-not-be-placed',
    });
  });

  it('refused: over at once, and nothing rings', async () => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requested(meeting);
    await harness.emulator.client.setFaults({ rest: [{ route: 'create-call', fault: '403' }] });
    expect(await dial(meeting, legId)).toBe('refused');
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ state: 'ended', dialled_at: expect.any(Date) });
    expect((await harness.emulator.client.phone(phone)).calls).toEqual([]);
  });

  it.each(['applied-silent', 'applied-reset', 'non-json'] as const)(
    'its answer is lost (%s): not dialled twice, and the call’s own events name the leg',
    async (fault) => {
      const meeting = await openRoom(deps);
      const { phone, legId } = await requested(meeting);
      await harness.emulator.client.setFaults({ rest: [{ route: 'create-call', fault, next: 1 }] });
      expect(await dial(meeting, legId)).toBe('unknown');
      expect(await dial(meeting, legId)).toBe('not-wanted');
      await untilLegs(harness, meeting, 'outbound', ['joined']);
      expect((await harness.emulator.client.phone(phone)).calls.map((each) => each.callId)).toEqual([
        (await readLegs(harness, meeting))[0]?.voice_call_id,
      ]);
    },
  );

  it('nothing rings before the hang-up is armed', async () => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requested(meeting);
    harness.jobsDown = true;
    await expect(dial(meeting, legId)).rejects.toThrow('Redis is unreachable');
    expect(await created(phone)).toEqual([]);
    expect((await readLegs(harness, meeting))[0]?.state).toBe('requested');
  });
});

describe('the session ends', () => {
  it('before anybody dialled: nothing ever rings, and it is over at once', async () => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requested(meeting);
    expect(await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant')).toEqual({
      decided: true,
      state: 'ended',
    });
    expect(await dial(meeting, legId)).toBe('not-wanted');
    expect(await created(phone)).toEqual([]);
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ state: 'ended', reason: 'cancelled-before-dial' });
  });

  it('while it rings, and the phone is picked up before it was hung up: it joins nothing and is let go', async () => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requested(meeting, { mode: 'no-answer' });
    await dial(meeting, legId);
    const person = await harness.emulator.client.awaitRing(phone);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await harness.emulator.client.answer(person.id);
    await harness.emulator.client.awaitEnded(person.id);
    await untilLegs(harness, meeting, 'outbound', ['ended']);
    const { timeline } = await harness.emulator.client.caller(person.id);
    expect(timeline.map((each) => each.event)).toContain('answered');
    expect(timeline.map((each) => each.event)).not.toContain('joined');
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ hangup_reason: 'ended-by-tenant', joined_at: null });
    expect((await readSession(harness, meeting)).state).toBe('ended');
  });

  it('while the dial is on its way: as soon as the call has a name, its hang-up is asked', async () => {
    const meeting = await openRoom(deps);
    const { legId } = await requested(meeting, { mode: 'no-answer' });
    let send = (): void => undefined;
    const held = new Promise<void>((resolve) => (send = resolve));
    const createCall: TestDeps['voice']['createCall'] = async (call) => (await held, deps.voice.createCall(call));
    const dialling = dialOut(withProviders(deps, { voice: { createCall } }), meeting.tenantId, legId);
    await untilLegs(harness, meeting, 'outbound', ['dialling']);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await hangUpSession(deps, meeting.tenantId, meeting.sessionId);
    const armed = (): number =>
      harness.sentJobs.filter((job) => job.name === 'arm' && job.id === meeting.sessionId && job.delayMs === 0).length;
    const before = armed();
    send();
    expect(await dialling).toBe('dialled');
    await until(async () => (await readLegs(harness, meeting)).map((leg) => leg.hangup_attempted_at), [null]);
    expect(armed()).toBeGreaterThan(before);
    // No time goes by: the job runs, and the hang-up goes out at once.
    await hangUpSession(deps, meeting.tenantId, meeting.sessionId);
    await untilLegs(harness, meeting, 'outbound', ['ended']);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });
});
