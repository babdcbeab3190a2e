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
  it('closes every leg at the vendor, each on an observation, and is over only then; the other room goes on', async () => {
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
    const told = await events(meeting);
    expect(told.map((event) => event.seq)).toEqual(told.map((_, i) => i + 1));
    expect(told.at(-1)?.type).toBe('session.ended');
    expect(told.filter((event) => event.type === 'leg.ended')).toHaveLength(3);
  });

  it('is not fooled by a hang-up that is accepted and not done: it stays ending and is asked again (I2)', async () => {
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

  it('finds out by looking, when no webhook of an end ever comes', async () => {
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

  it('lets a browser go that comes in by an old token when the session is over', async () => {
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

describe('hanging up', () => {
  it('hangs the others up at once when one leg’s hang-up gets no answer', async () => {
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
      what: 'failures',
      faults: {
        rest: [
          { route: 'hangup', fault: '500', next: 2 },
          { route: 'disconnect', fault: '500', next: 2 },
        ],
      },
    },
    {
      what: 'no service',
      faults: {
        rest: [
          { route: 'hangup', fault: '503', next: 2 },
          { route: 'disconnect', fault: '503', next: 2 },
        ],
      },
    },
    {
      what: 'refused credentials',
      faults: {
        rest: [
          { route: 'hangup', fault: '401', next: 2 },
          { route: 'disconnect', fault: '403', next: 2 },
        ],
      },
    },
    { what: 'a call that is too young', faults: { rest: [{ route: 'hangup', fault: '400', next: 2 }] } },
    {
      what: 'not found while it lives',
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
      what: 'answers that are lost',
      faults: {
        rest: [
          { route: 'hangup', fault: 'applied-reset', next: 2 },
          { route: 'disconnect', fault: 'applied-reset', next: 2 },
        ],
      },
    },
  ])('gets through $what', async ({ faults }) => {
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

describe('the one door', () => {
  it('takes ten at once: one decides, and the first reason stands', async () => {
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

  it('is shut to another tenant', async () => {
    const meeting = await openRoom(harness.deps.unified);
    expect(await endSession(harness.deps.unified, 'ten_other', meeting.sessionId, 'ended-by-tenant')).toBeNull();
    expect(await hangUpSession(harness.deps.unified, 'ten_other', meeting.sessionId)).toBe('done');
    expect((await readSession(harness, meeting)).state).toBe('open');
  });

  it('stays open when the job cannot be sent: what is owed is listed', async () => {
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
  it('that comes early waits until the session is due, and never hangs up a live leg', async () => {
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

  it('that comes at the deadline ends the session by its longest duration', async () => {
    const deps = harness.deps.unified;
    const meeting = await startMeeting(harness, deps);
    await harness.store.pool.query(`UPDATE session SET created_at = created_at - interval '1 hour' WHERE id = $1`, [
      meeting.sessionId,
    ]);
    await hangUpUntilDone(harness, deps, meeting);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ended', end_reason: 'max-duration' });
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });

  it('lets a caller go who keeps the line without a PIN past the deadline, and not before', async () => {
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
