import { VerdictError } from '@partyline/domain/verdict';
import { listDueWork } from '@partyline/store/reconciliation/due-work';
import type { PhoneBehaviour } from '@partyline/vonage-emulator/control-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerDialledLeg } from '../callers/answer-call.ts';
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
import { resetHarness } from '../testing/pass-time.ts';
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

/** Requests a call to a telephone number that no other test uses. */
async function requestCall(
  meeting: Meeting,
  behaviour: PhoneBehaviour = { mode: 'answer' },
  requestDeps: TestDeps = deps,
): Promise<{ phone: string; legId: string }> {
  const phone = `+4479460${String((phones += 1)).padStart(5, '0')}`;
  await harness.emulator.client.setPhone(phone, behaviour);
  const { legId } = await requestDialOut(requestDeps, meeting.tenantId, meeting.roomId, { phone, name: 'Ada' });
  return { phone, legId };
}
const dial = (meeting: Meeting, legId: string) => dialOut(deps, meeting.tenantId, legId);
const listCreateRequests = async (phone: string) =>
  (await harness.emulator.client.restLog({ route: 'create-call' })).filter((entry) =>
    JSON.stringify(entry.body).includes(phone.slice(1)),
  );

describe('an outbound call', () => {
  it('gets the deadline of its session when it is answered', async () => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requestCall(meeting);
    const token = { accountId: null, jti: `answer of ${legId}`, expiresAt: new Date(Date.now() + 60_000) };
    const call = { callId: `call of ${legId}`, from: null, to: phone, viaSip: false, headers: {} };
    const [leg] = await readLegs(harness, meeting, 'outbound');
    expect(await answerDialledLeg(deps, token, legId, call)).toMatchObject([
      { do: 'join', deadline: leg?.deadline_at },
    ]);
  });

  it("joins the conference when answered, and carries its dead-man's timers", async () => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requestCall(meeting);
    expect(await dial(meeting, legId)).toBe('dialled');
    await untilLegs(harness, meeting, 'outbound', ['joined']);
    const { id } = await harness.emulator.client.awaitRing(phone);
    expect((await harness.emulator.client.awaitJoined(id)).conversation).toBe(
      (await readSession(harness, meeting)).conversation,
    );
    const [request] = await listCreateRequests(phone);
    const body = request?.body as { length_timer: number; ringing_timer: number };
    // I4: at most the remaining time of the session, and at most a minute of ringing.
    expect(body.length_timer).toBeGreaterThan(3_500);
    expect(body.length_timer).toBeLessThanOrEqual(3_600);
    expect(body.ringing_timer).toBeLessThanOrEqual(60);
  });

  it.each<{ behaviour: PhoneBehaviour; outcome: string; reason: string }>([
    { behaviour: { mode: 'busy' }, outcome: 'client', reason: 'busy' },
    { behaviour: { mode: 'reject' }, outcome: 'client', reason: 'rejected' },
    { behaviour: { mode: 'unavailable' }, outcome: 'client', reason: 'unavailable' },
    { behaviour: { mode: 'failed' }, outcome: 'client', reason: 'cannot-route' },
  ])('ends with $reason and emits an event for $behaviour.mode', async ({ behaviour, outcome, reason }) => {
    const meeting = await openRoom(deps);
    const { legId } = await requestCall(meeting, behaviour);
    await dial(meeting, legId);
    await untilLegs(harness, meeting, 'outbound', ['ended']);
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ outcome, reason, answered_at: null });
    const events = await harness.store.prisma.outbox.findMany({
      where: { session_id: meeting.sessionId, type: 'leg.ended' },
    });
    expect(events.map((event) => event.data)).toMatchObject([{ legId, outcome, reason }]);
  });

  it.each(['timeout', 'unanswered'])('ends as unanswered when the provider reports %s', async (status) => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requestCall(meeting, { mode: 'no-answer' });
    await dial(meeting, legId);
    const { callId } = await harness.emulator.client.awaitRing(phone);
    await untilLegs(harness, meeting, 'outbound', ['ringing']);
    // The ringing timer takes 45 s; the test sends its event now.
    await applyLegEvent(deps, { via: 'look-up', accountId: null }, deps.voice.parseEvent({ uuid: callId, status }));
    expect((await readLegs(harness, meeting))[0]).toMatchObject({
      state: 'ended',
      outcome: 'client',
      reason: 'unanswered',
      answered_at: null,
    });
  });
});

describe('requestDialOut', () => {
  it.each(['442079460018', '+0442079460018', '0044207', 'sip:ada@example.com', '+44 20 7946 0018', ''])(
    'rejects %j, which is not E.164, before it inserts rows',
    async (phone) => {
      const meeting = await openRoom(deps);
      await expect(requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone })).rejects.toMatchObject({
        verdict: { outcome: 'client', reason: 'not-e164' },
        field: '/phone',
      });
      expect(await readLegs(harness, meeting)).toEqual([]);
    },
  );

  it('is refused at once, without rows, while the job queue does not answer', async () => {
    const meeting = await openRoom(deps);
    const countParticipants = () => harness.store.prisma.participant.count({ where: { room_id: meeting.roomId } });
    const before = await countParticipants();
    harness.jobsDown = true;
    await expect(
      requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: '+442079460018' }),
    ).rejects.toMatchObject({ verdict: { reason: 'temporarily-unavailable' } });
    harness.jobsDown = false;
    expect(await readLegs(harness, meeting)).toEqual([]);
    expect(await countParticipants()).toBe(before);
  });

  it("rejects the room's own number and another tenant's dedicated one, before it inserts rows", async () => {
    const meeting = await openRoom(deps);
    const { number } = await harness.store.prisma.room.findUniqueOrThrow({ where: { id: meeting.roomId } });
    const other = '+442079460099';
    await harness.store.prisma.tenant.create({ data: { id: 'ten_dedicated', name: 'Other' } });
    await harness.store.prisma.dial_in_number.create({ data: { e164: other, dedicated_to: 'ten_dedicated' } });
    await harness.store.pool.query(`UPDATE tenant SET allowed_countries = '{US,GB,DE}' WHERE id = $1`, [
      meeting.tenantId,
    ]);
    for (const phone of [number, other])
      await expect(requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone })).rejects.toMatchObject({
        verdict: { outcome: 'client', reason: 'destination-is-dial-in' },
        field: '/phone',
      });
    expect(await readLegs(harness, meeting)).toEqual([]);
  });

  it('masks the number in the roster', async () => {
    const meeting = await openRoom(deps);
    const { participantId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: '+442079460018' });
    expect((await harness.store.prisma.participant.findUniqueOrThrow({ where: { id: participantId } })).name).toBe(
      '+442*******18',
    );
  });

  it('does not find a room of another tenant', async () => {
    const meeting = await openRoom(deps);
    await expect(requestDialOut(deps, 'ten_other', meeting.roomId, { phone: '+442079460018' })).rejects.toBeInstanceOf(
      VerdictError,
    );
    const { legId } = await requestCall(meeting);
    expect(await dialOut(deps, 'ten_other', legId)).toBe('not-wanted');
    expect((await readLegs(harness, meeting))[0]?.state).toBe('requested');
  });

  it('is listed as due work until it is dialled, when its job was lost', async () => {
    const meeting = await openRoom(deps);
    harness.jobsDown = true;
    // Redis breaks after the call was accepted and before its job is sent.
    const withLostJobs = { ...deps, jobs: { ...deps.jobs, assertReachable: async () => undefined } };
    const { legId } = await requestCall(meeting, undefined, withLostJobs);
    const isDue = async () => (await listDueWork(harness.store, { graceMs: 0 })).dial.some((each) => each.id === legId);
    expect(await isDue()).toBe(true);
    harness.jobsDown = false;
    await dial(meeting, legId);
    expect(await isDue()).toBe(false);
  });

  it('is dialled once by concurrent jobs', async () => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requestCall(meeting);
    const results = await Promise.all(Array.from({ length: 5 }, () => dial(meeting, legId)));
    expect(results.filter((result) => result === 'dialled')).toHaveLength(1);
    expect(await listCreateRequests(phone)).toHaveLength(1);
  });
});

describe('the queue of calls of a provider account', () => {
  beforeEach(() => resetHarness(harness));
  afterEach(() => resetHarness(harness));

  /** Requests calls at once, in rooms of ten. */
  async function requestMany(tenant: TestDeps, count: number) {
    const meetings: Meeting[] = [];
    for (let room = 0; room < count / 10; room += 1) meetings.push(await openRoom(tenant, { max_participants: 20 }));
    const outcomes = await Promise.allSettled(
      Array.from({ length: count }, (_, index) => {
        const { tenantId, roomId } = meetings.at(index % meetings.length) as Meeting;
        return requestDialOut(tenant, tenantId, roomId, {
          phone: `+44794612${String(index).padStart(4, '0')}`,
        });
      }),
    );
    const waits = outcomes.flatMap((outcome) =>
      outcome.status === 'fulfilled' ? [new Date(outcome.value.expectedAt).getTime() - Date.now()] : [],
    );
    const errors = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason as VerdictError] : [],
    );
    return { waits, errors };
  }

  it('accepts calls with the expected time, and rejects those that would wait too long', async () => {
    const { waits, errors } = await requestMany(deps, 60);
    expect(waits).toHaveLength(50);
    expect(Math.max(...waits)).toBeLessThanOrEqual(20_000);
    expect(errors.map(({ verdict }) => verdict.reason)).toEqual(Array.from({ length: 10 }, () => 'dial-queue-full'));
    for (const { retryAfterMs } of errors) expect(retryAfterMs).toBeGreaterThanOrEqual(1_000);
  });
});

describe('dialOut, when the provider or Redis fails', () => {
  it.each(['429', '503'] as const)('retries after a %s and places one call', async (fault) => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requestCall(meeting);
    await harness.emulator.client.setFaults({ rest: [{ route: 'create-call', fault, next: 2 }] });
    await expect(dial(meeting, legId)).rejects.toMatchObject({ failure: 'busy' });
    await expect(dial(meeting, legId)).rejects.toMatchObject({ failure: 'busy' });
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ state: 'requested', dialled_at: null });
    expect(await dial(meeting, legId)).toBe('dialled');
    await untilLegs(harness, meeting, 'outbound', ['joined']);
    expect((await harness.emulator.client.phone(phone)).calls).toHaveLength(1);
  });

  it('ends a call that could not be placed in time', async () => {
    const meeting = await openRoom(deps);
    const { legId } = await requestCall(meeting);
    await moveLegsBack(harness, meeting, 61);
    expect(await dial(meeting, legId)).toBe('not-wanted');
    expect((await readLegs(harness, meeting))[0]).toMatchObject({
      state: 'ended',
      outcome: 'upstream',
      reason: 'could-not-be-placed',
    });
  });

  it('ends a rejected call at once, and places none', async () => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requestCall(meeting);
    await harness.emulator.client.setFaults({ rest: [{ route: 'create-call', fault: '403' }] });
    expect(await dial(meeting, legId)).toBe('refused');
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ state: 'ended', dialled_at: expect.any(Date) });
    expect((await harness.emulator.client.phone(phone)).calls).toEqual([]);
  });

  it.each(['applied-silent', 'applied-reset', 'non-json'] as const)(
    'does not dial again when the reply is lost (%s): the events of the call identify the leg',
    async (fault) => {
      const meeting = await openRoom(deps);
      const { phone, legId } = await requestCall(meeting);
      await harness.emulator.client.setFaults({ rest: [{ route: 'create-call', fault, next: 1 }] });
      expect(await dial(meeting, legId)).toBe('unknown');
      expect(await dial(meeting, legId)).toBe('not-wanted');
      await untilLegs(harness, meeting, 'outbound', ['joined']);
      expect((await harness.emulator.client.phone(phone)).calls.map((each) => each.callId)).toEqual([
        (await readLegs(harness, meeting))[0]?.voice_call_id,
      ]);
    },
  );

  it('places no call before the hang-up is armed', async () => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requestCall(meeting);
    harness.jobsDown = true;
    await expect(dial(meeting, legId)).rejects.toThrow('Redis is unreachable');
    expect(await listCreateRequests(phone)).toEqual([]);
    expect((await readLegs(harness, meeting))[0]?.state).toBe('requested');
  });
});

describe('the end of a session', () => {
  it('ends a requested call at once, before the dial', async () => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requestCall(meeting);
    expect(await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant')).toEqual({
      decided: true,
      state: 'ended',
    });
    expect(await dial(meeting, legId)).toBe('not-wanted');
    expect(await listCreateRequests(phone)).toEqual([]);
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ state: 'ended', reason: 'cancelled-before-dial' });
  });

  it('hangs up a ringing call that is answered before its hang-up, without joining it', async () => {
    const meeting = await openRoom(deps);
    const { phone, legId } = await requestCall(meeting, { mode: 'no-answer' });
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

  it('makes the hang-up due as soon as a dial in progress has its call id', async () => {
    const meeting = await openRoom(deps);
    const { legId } = await requestCall(meeting, { mode: 'no-answer' });
    let send = (): void => undefined;
    const gate = new Promise<void>((resolve) => (send = resolve));
    const createCall: TestDeps['voice']['createCall'] = async (call) => (await gate, deps.voice.createCall(call));
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
    // No time passes: the job sends the hang-up at once.
    await hangUpSession(deps, meeting.tenantId, meeting.sessionId);
    await untilLegs(harness, meeting, 'outbound', ['ended']);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });
});
