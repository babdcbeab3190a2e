import type { FaultsInput } from '@partyline/vonage-emulator/control-client';
import { listDueWork } from '@partyline/store/reconciliation/due-work';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endSession } from '../sessions/end-session.ts';
import { hangUpLeg } from './hang-up-leg.ts';
import { hangUpSession } from './hang-up-session.ts';
import {
  hangUpUntilDone,
  joinBrowser,
  moveLegsBack,
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
import { MEDIA_KINDS, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness();
});
afterEach(async () => {
  harness.jobsDown = false;
  await harness.emulator.client.resetFaults();
});
afterAll(() => harness.close());

const end = (meeting: Meeting) =>
  endSession(harness.deps.unified, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
const events = async (meeting: Meeting) =>
  harness.store.prisma.outbox.findMany({ where: { session_id: meeting.sessionId }, orderBy: { seq: 'asc' } });
const closings = async (meeting: Meeting): Promise<number> => {
  const legs = (await readLegs(harness, meeting)).map((leg) => leg.id);
  return (
    await harness.store.prisma.observation.findMany({
      where: { leg_id: { in: legs }, phase: 'over' },
      distinct: ['leg_id'],
    })
  ).length;
};

describe.each(MEDIA_KINDS)('ending a %s session', (kind) => {
  it('closes each leg at the provider by an observation, ends only then, and leaves another room alone', async () => {
    const deps = harness.deps[kind];
    const [meeting, other] = [await startMeeting(harness, deps), await startMeeting(harness, deps)];
    expect(await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant')).toEqual({
      decided: true,
      state: 'ending',
    });
    expect((await readLegs(harness, meeting)).map((leg) => [leg.state, leg.hangup_reason])).toEqual(
      Array.from({ length: 3 }, () => ['ending', 'ended-by-tenant']),
    );
    expect(await closings(meeting)).toBe(0);
    await hangUpUntilDone(harness, deps, meeting);
    expect((await readLegs(harness, meeting)).every((leg) => leg.state === 'ended' && leg.confirmed_at !== null)).toBe(
      true,
    );
    expect(await closings(meeting)).toBe(3);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ended', end_reason: 'ended-by-tenant' });
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);

    expect(await listLegsAtProvider(harness, other)).toEqual([
      'sip-interconnect',
      'voice-inbound',
      'voice-sip',
      'webrtc',
    ]);
    expect((await readSession(harness, other)).state).toBe('live');
    const sent = await events(meeting);
    expect(sent.map((event) => event.seq)).toEqual(sent.map((_, i) => i + 1));
    expect(sent.at(-1)?.type).toBe('session.ended');
    expect(sent.filter((event) => event.type === 'leg.ended')).toHaveLength(3);
  });

  it('stays in ending and retries a hang-up that is accepted without effect (I2)', async () => {
    const deps = harness.deps[kind];
    const meeting = await startMeeting(harness, deps);
    await harness.emulator.client.setFaults({
      rest: [{ route: 'disconnect', fault: '204-no-effect' }],
      switches: { hangupKeepsLegAlive: true },
    });
    await end(meeting);
    for (let round = 0; round < 3; round++) {
      expect(await hangUpSession(deps, meeting.tenantId, meeting.sessionId)).toMatchObject({
        retryAfterMs: expect.any(Number),
      });
      await moveLegsBack(harness, meeting, 6);
    }
    expect((await readSession(harness, meeting)).state).toBe('ending');
    expect((await readLegs(harness, meeting)).map((leg) => [leg.state, leg.hangup_attempts])).toEqual(
      Array.from({ length: 3 }, () => ['ending', 3]),
    );
    expect(await closings(meeting)).toBe(0);
    await harness.emulator.client.resetFaults();
    await hangUpUntilDone(harness, deps, meeting);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });

  it('confirms the end by look-ups when no webhook arrives', async () => {
    const deps = harness.deps[kind];
    const meeting = await startMeeting(harness, deps);
    await harness.emulator.client.setFaults({ webhooks: [{ fault: 'drop' }] });
    await end(meeting);
    await hangUpUntilDone(harness, deps, meeting);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ended' });
    const legs = (await readLegs(harness, meeting)).map((leg) => leg.id);
    const seen = await harness.store.prisma.observation.findMany({ where: { leg_id: { in: legs }, phase: 'over' } });
    expect(new Set(seen.map((each) => each.source))).toEqual(new Set(['look-up']));
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });

  it('hangs up a browser that connects with an old token after the end', async () => {
    const deps = harness.deps[kind];
    const meeting = await openRoom(deps);
    await end(meeting);
    expect((await readSession(harness, meeting)).state).toBe('ended');
    await joinBrowser(harness, meeting);
    const [late] = await readLegs(harness, meeting, 'webrtc');
    expect(late).toMatchObject({ state: 'ending' });
    expect(harness.sentJobs.filter((job) => job.name === 'hang-up-leg' && job.id === late?.id)).toHaveLength(1);
    await moveLegsBack(harness, meeting, 0);
    expect((await listDueWork(harness.store, { graceMs: 0 })).hangUpLegs).toContainEqual({
      tenant_id: meeting.tenantId,
      id: late?.id,
    });
    await hangUpLeg(deps, meeting.tenantId, late?.id ?? '');
    await untilLegs(harness, meeting, 'webrtc', ['ended']);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
    expect((await readSession(harness, meeting)).state).toBe('ended');
  });
});

describe('hangUpSession', () => {
  it('hangs up the other legs at once when the hang-up of one gets no reply', async () => {
    const deps = harness.deps.unified;
    const meeting = await startMeeting(harness, deps);
    await harness.emulator.client.setFaults({ rest: [{ route: 'disconnect', fault: 'not-applied-silent' }] });
    await end(meeting);
    await hangUpSession(deps, meeting.tenantId, meeting.sessionId);
    await untilLegs(harness, meeting, 'inbound', ['ended']);
    expect((await readLegs(harness, meeting, 'webrtc')).map((leg) => leg.state)).toEqual(['ending']);
    await harness.emulator.client.resetFaults();
    await hangUpUntilDone(harness, deps, meeting);
  });

  it.each<{ what: string; faults: FaultsInput }>([
    {
      what: 'the rate limit',
      faults: {
        rest: [
          { route: 'hangup', fault: '429', next: 2 },
          { route: 'disconnect', fault: '429', next: 2 },
        ],
      },
    },
    {
      what: 'server errors',
      faults: {
        rest: [
          { route: 'hangup', fault: '500', next: 2 },
          { route: 'disconnect', fault: '500', next: 2 },
        ],
      },
    },
    {
      what: 'an unavailable service',
      faults: {
        rest: [
          { route: 'hangup', fault: '503', next: 2 },
          { route: 'disconnect', fault: '503', next: 2 },
        ],
      },
    },
    {
      what: 'rejected credentials',
      faults: {
        rest: [
          { route: 'hangup', fault: '401', next: 2 },
          { route: 'disconnect', fault: '403', next: 2 },
        ],
      },
    },
    { what: 'a call in an early state', faults: { rest: [{ route: 'hangup', fault: '400', next: 2 }] } },
    {
      what: 'not found for a live call',
      faults: {
        rest: [
          { route: 'hangup', fault: '404', next: 2 },
          { route: 'disconnect', fault: '404', next: 2 },
          { route: 'get-call', fault: '404', next: 2 },
        ],
      },
    },
    { what: 'a broken connection', faults: { rest: [{ route: 'any', fault: 'reset', next: 6 }] } },
    {
      what: 'lost replies',
      faults: {
        rest: [
          { route: 'hangup', fault: 'applied-reset', next: 2 },
          { route: 'disconnect', fault: 'applied-reset', next: 2 },
        ],
      },
    },
  ])('confirms all hang-ups despite $what', async ({ faults }) => {
    const deps = harness.deps.unified;
    const meeting = await startMeeting(harness, deps);
    await harness.emulator.client.setFaults(faults);
    await end(meeting);
    await hangUpUntilDone(harness, deps, meeting);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ended' });
    expect(await closings(meeting)).toBe(3);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });
});

describe('endSession', () => {
  it('decides the end once in ten concurrent calls, and keeps the first reason', async () => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps);
    await joinBrowser(harness, meeting);
    const reasons = ['ended-by-tenant', 'browsers-left', 'max-duration', 'alone', 'empty'] as const;
    const endings = await Promise.all(
      reasons.map((reason) => endSession(deps, meeting.tenantId, meeting.sessionId, reason)),
    );
    const decided = reasons.filter((_, i) => endings[i]?.decided);
    expect(decided).toHaveLength(1);
    expect((await readSession(harness, meeting)).end_reason).toBe(decided[0]);
    expect((await events(meeting)).filter((event) => event.type === 'session.ending')).toHaveLength(1);
    await hangUpUntilDone(harness, deps, meeting);
    expect(await end(meeting)).toEqual({ decided: false, state: 'ended' });
  });

  it('does not end a session of another tenant', async () => {
    const meeting = await openRoom(harness.deps.unified);
    expect(await endSession(harness.deps.unified, 'ten_other', meeting.sessionId, 'ended-by-tenant')).toBeNull();
    expect(await hangUpSession(harness.deps.unified, 'ten_other', meeting.sessionId)).toBe('done');
    expect((await readSession(harness, meeting)).state).toBe('open');
  });

  it('ends the session when the job cannot be enqueued, and the hang-up is listed as due work', async () => {
    const meeting = await openRoom(harness.deps.unified);
    await joinBrowser(harness, meeting);
    harness.jobsDown = true;
    expect(await end(meeting)).toEqual({ decided: true, state: 'ending' });
    expect((await listDueWork(harness.store, { graceMs: 0 })).ending).toContainEqual({
      tenant_id: meeting.tenantId,
      id: meeting.sessionId,
    });
  });
});

describe('the hang-up job', () => {
  it('waits until the session is due, and hangs up no live leg before', async () => {
    const deps = harness.deps.unified;
    const meeting = await startMeeting(harness, deps);
    const again = await hangUpSession(deps, meeting.tenantId, meeting.sessionId);
    expect(again).toMatchObject({ retryAfterMs: expect.any(Number) });
    expect(again === 'done' ? 0 : again.retryAfterMs).toBeGreaterThan(3_500_000);
    const [leg] = await readLegs(harness, meeting, 'inbound');
    expect(await hangUpLeg(deps, meeting.tenantId, leg?.id ?? '')).toBe('done');
    expect(await listLegsAtProvider(harness, meeting)).toEqual([
      'sip-interconnect',
      'voice-inbound',
      'voice-sip',
      'webrtc',
    ]);
  });

  it('ends the session by max-duration at its deadline', async () => {
    const deps = harness.deps.unified;
    const meeting = await startMeeting(harness, deps);
    await harness.store.pool.query(`UPDATE session SET created_at = created_at - interval '1 hour' WHERE id = $1`, [
      meeting.sessionId,
    ]);
    await hangUpUntilDone(harness, deps, meeting);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ended', end_reason: 'max-duration' });
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });

  it('hangs up a caller without a PIN after the deadline, and not before', async () => {
    const deps = harness.deps.unified;
    const person = await dialIn(harness);
    const leg = await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: person.callId } });
    expect(await hangUpLeg(deps, null, leg.id)).toBe('done');
    expect((await harness.emulator.client.ledger({ callId: person.callId })).up).toBe(1);
    await harness.store.prisma.leg.update({ where: { id: leg.id }, data: { deadline_at: new Date(0) } });
    expect((await listDueWork(harness.store, { graceMs: 0 })).hangUpLegs).toContainEqual({
      tenant_id: null,
      id: leg.id,
    });
    await hangUpLeg(deps, null, leg.id);
    await harness.emulator.client.awaitEnded(person.id);
    await until(
      async () => (await harness.store.prisma.leg.findUniqueOrThrow({ where: { id: leg.id } })).state,
      'ended',
    );
  });
});
