import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findOrOpenSession } from './current-session.ts';
import { endRoom } from '../rooms/end-room.ts';
import { hangUpSession } from '../hang-ups/hang-up-session.ts';
import { issueToken } from '../participants/issue-token.ts';
import {
  joinByPhone,
  hangUpUntilDone,
  joinBrowser,
  startMeeting,
  openRoom,
  readLegs,
  readSession,
  dialIn,
  untilLegs,
  untilWebhooksDone,
  listLegsAtProvider,
  type Meeting,
} from '../testing/meeting.ts';
import { MEDIA_KINDS, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness();
});
afterAll(() => harness.close());

/** Simulates the passing of time for a session: moves its clocks into the past. */
const passSessionTime = (meeting: Meeting, seconds: number): Promise<unknown> =>
  harness.store.pool.query(
    `UPDATE session SET browsers_left_at = browsers_left_at - $2::interval,
       phones_left_at = phones_left_at - $2::interval, alone_since = alone_since - $2::interval,
       empty_since = empty_since - $2::interval, created_at = created_at - $2::interval WHERE id = $1`,
    [meeting.sessionId, `${seconds} seconds`],
  );
const armed = (meeting: Meeting): number | undefined =>
  harness.sentJobs.findLast((job) => job.name === 'arm' && job.id === meeting.sessionId)?.delayMs;

describe('a caller who leaves before the session is settled', () => {
  it('makes the session live and starts its clocks', async () => {
    const { client } = harness.emulator;
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps, { phones_left_s: 300, empty_s: 120 });
    const person = await dialIn(harness, meeting.number);
    await client.awaitWebhook({ event: 'answered' });
    await untilWebhooksDone(harness);
    await client.setFaults({ webhooks: [{ event: 'transfer', fault: 'drop' }] });
    await client.key(person.id, `${meeting.pin}#`);
    await client.awaitJoined(person.id);
    await client.resetFaults();
    await client.hangUp(person.id);
    await untilLegs(harness, meeting, 'inbound', ['ended']);
    expect(await readSession(harness, meeting)).toMatchObject({
      state: 'live',
      had_phone: true,
      phones_left_at: expect.any(Date),
      due_reason: 'empty',
    });
  });
});

describe.each(MEDIA_KINDS)('the browsers-left clock of a %s session', (kind) => {
  it('ends the session after its grace period and hangs up the callers of this room only', async () => {
    const { client } = harness.emulator;
    const deps = harness.deps[kind];
    const [meeting, other] = [
      await startMeeting(harness, deps, { browsers_left_s: 300 }),
      await startMeeting(harness, deps, { browsers_left_s: 300 }),
    ];
    await client.leaveWebrtc(meeting.browser.connectionId);
    await untilLegs(harness, meeting, 'webrtc', ['ended']);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'live', due_reason: 'browsers-left' });
    expect(armed(meeting)).toBeGreaterThan(250_000);
    expect(armed(meeting)).toBeLessThanOrEqual(300_000);
    await passSessionTime(meeting, 270);
    expect(await hangUpSession(deps, meeting.tenantId, meeting.sessionId)).not.toBe('done');
    expect((await readSession(harness, meeting)).state).toBe('live');
    await passSessionTime(meeting, 31);
    await hangUpUntilDone(harness, deps, meeting);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ended', end_reason: 'browsers-left' });
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
    expect((await client.caller(meeting.caller.id)).state).toBe('ended');
    expect(await listLegsAtProvider(harness, other)).toEqual([
      'sip-interconnect',
      'voice-inbound',
      'voice-sip',
      'webrtc',
    ]);
  });

  it('stops when a browser returns in time, and starts from zero the next time', async () => {
    const { client } = harness.emulator;
    const deps = harness.deps[kind];
    const meeting = await startMeeting(harness, deps, { browsers_left_s: 300 });
    await client.leaveWebrtc(meeting.browser.connectionId, 'networkDisconnected');
    await untilLegs(harness, meeting, 'webrtc', ['ended']);
    await passSessionTime(meeting, 200);
    const back = await joinBrowser(harness, meeting);
    expect(await readSession(harness, meeting)).toMatchObject({
      state: 'live',
      browsers_left_at: null,
      due_reason: 'max-duration',
    });
    await passSessionTime(meeting, 200);
    expect(await hangUpSession(deps, meeting.tenantId, meeting.sessionId)).not.toBe('done');
    expect((await readSession(harness, meeting)).state).toBe('live');
    await client.leaveWebrtc(back.connectionId);
    await untilLegs(harness, meeting, 'webrtc', ['ended', 'ended']);
    await passSessionTime(meeting, 200);
    await hangUpSession(deps, meeting.tenantId, meeting.sessionId);
    expect((await readSession(harness, meeting)).state).toBe('live');
  });
});

describe('session clocks', () => {
  it.each([
    { clock: 'empty_s', reason: 'empty', leave: true },
    { clock: 'phones_left_s', reason: 'phones-left', leave: true },
    { clock: 'alone_s', reason: 'alone', leave: false },
  ] as const)('ends the session by $clock with the reason $reason', async ({ clock, reason, leave }) => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps, { [clock]: 30 });
    const caller = await joinByPhone(harness, deps, meeting);
    if (leave) {
      await harness.emulator.client.hangUp(caller.id);
      await untilLegs(harness, meeting, 'inbound', ['ended']);
    }
    await passSessionTime(meeting, 31);
    await hangUpUntilDone(harness, deps, meeting);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ended', end_reason: reason });
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });

  it('ends a session that was never used, without a hang-up', async () => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps, { never_used_s: 30 });
    await passSessionTime(meeting, 31);
    expect(await hangUpUntilDone(harness, deps, meeting)).toBe(1);
    expect(await readSession(harness, meeting)).toMatchObject({
      state: 'ended',
      end_reason: 'never-used',
      live_at: null,
    });
  });
});

describe('the next session of a room', () => {
  it('is opened once by concurrent tokens and a caller', async () => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps);
    await harness.store.prisma.session.update({ where: { id: meeting.sessionId }, data: { state: 'ended' } });
    const person = await dialIn(harness);
    const keyed = harness.emulator.client.key(person.id, `${meeting.pin}#`);
    const ids = new Set(
      await Promise.all(Array.from({ length: 6 }, () => findOrOpenSession(deps, meeting.tenantId, meeting.roomId))),
    );
    await keyed;
    await harness.emulator.client.awaitJoined(person.id);
    expect(ids.size).toBe(1);
    for (const sessionId of ids)
      expect((await readLegs(harness, { sessionId })).map((leg) => leg.kind)).toEqual(['inbound']);
    expect(await harness.store.prisma.session.count({ where: { room_id: meeting.roomId } })).toBe(2);
  });

  it('gets one video session for concurrent tokens', async () => {
    const deps = harness.deps.opentok;
    const meeting = await openRoom(deps);
    await harness.store.prisma.session.update({ where: { id: meeting.sessionId }, data: { state: 'ended' } });
    const tokens = await Promise.all(
      Array.from({ length: 3 }, (_, i) => issueToken(deps, meeting.tenantId, meeting.roomId, { name: `Guest ${i}` })),
    );
    expect(new Set(tokens.map((each) => each.mediaSessionId)).size).toBe(1);
    expect(new Set(tokens.map((each) => each.participantId)).size).toBe(3);
    expect(tokens[0]?.mediaSessionId).not.toBe(meeting.mediaSessionId);
    await expect(issueToken(deps, 'ten_other', meeting.roomId, { name: 'Guest' })).rejects.toMatchObject({
      verdict: { reason: 'room-not-found' },
    });
  });
});

describe('endRoom', () => {
  it('rejects tokens and callers, and changes nothing when it is repeated', async () => {
    const deps = harness.deps.unified;
    const meeting = await startMeeting(harness, deps);
    expect(await endRoom(deps, meeting.tenantId, meeting.roomId)).toEqual({
      decided: true,
      state: 'ending',
      sessionId: meeting.sessionId,
    });
    expect(await endRoom(deps, meeting.tenantId, meeting.roomId)).toMatchObject({ decided: false, state: 'ending' });
    await expect(endRoom(deps, 'ten_other', meeting.roomId)).rejects.toMatchObject({
      verdict: { reason: 'room-not-found' },
    });
    await expect(issueToken(deps, meeting.tenantId, meeting.roomId, { name: 'Guest' })).rejects.toMatchObject({
      verdict: { reason: 'room-ended' },
    });
    const person = await dialIn(harness);
    await harness.emulator.client.key(person.id, `${meeting.pin}#`);
    const { text } = await harness.emulator.client.awaitHeard(person.id);
    expect(text).toBeDefined();
    await harness.emulator.client.awaitPrompt(person.id);
    expect(
      (await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: person.callId } })).session_id,
    ).toBeNull();
    await hangUpUntilDone(harness, deps, meeting);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });
});
