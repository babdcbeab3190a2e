import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findOrOpenSession } from './current-session.ts';
import { endRoom } from '../rooms/end-room.ts';
import { hangUpSession } from '../hang-ups/hang-up-session.ts';
import { issueToken } from '../participants/issue-token.ts';
import {
  callIn,
  hangUpUntilDone,
  joinBrowser,
  meet,
  openRoom,
  readLegs,
  readSession,
  ringIn,
  untilLegs,
  upAtVendor,
  type Meeting,
} from '../testing/meeting.ts';
import { MEDIA_KINDS, setStage, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
afterAll(() => stage.close());

/** So many seconds go by for a session: everything that it counts from is moved back. */
const goBy = (meeting: Meeting, seconds: number): Promise<unknown> =>
  stage.store.pool.query(
    `UPDATE session SET browsers_left_at = browsers_left_at - $2::interval, phones_left_at = phones_left_at - $2::interval, alone_since = alone_since - $2::interval,
       empty_since = empty_since - $2::interval, created_at = created_at - $2::interval WHERE id = $1`,
    [meeting.sessionId, `${seconds} seconds`],
  );
const armed = (meeting: Meeting): number | undefined =>
  stage.sent.findLast((job) => job.name === 'arm' && job.id === meeting.sessionId)?.delayMs;

describe.each(MEDIA_KINDS)('when the last browser leaves a %s session', (kind) => {
  it('the session ends after its time of grace, with this reason, and the callers are hung up; another room is not touched', async () => {
    const { client } = stage.emulator;
    const world = stage.worlds[kind];
    const [meeting, other] = [
      await meet(stage, world, { browsers_left_s: 300 }),
      await meet(stage, world, { browsers_left_s: 300 }),
    ];
    await client.leaveWebrtc(meeting.browser.connectionId);
    await untilLegs(stage, meeting, 'webrtc', ['ended']);
    expect(await readSession(stage, meeting)).toMatchObject({ state: 'live', due_reason: 'browsers-left' });
    expect(armed(meeting)).toBeGreaterThan(250_000);
    expect(armed(meeting)).toBeLessThanOrEqual(300_000);
    await goBy(meeting, 270);
    expect(await hangUpSession(world, meeting.tenantId, meeting.sessionId)).not.toBe('done');
    expect((await readSession(stage, meeting)).state).toBe('live');
    await goBy(meeting, 31);
    await hangUpUntilDone(stage, world, meeting);
    expect(await readSession(stage, meeting)).toMatchObject({ state: 'ended', end_reason: 'browsers-left' });
    expect(await upAtVendor(stage, meeting)).toEqual([]);
    expect((await client.caller(meeting.caller.id)).state).toBe('ended');
    expect(await upAtVendor(stage, other)).toEqual(['sip-interconnect', 'voice-inbound', 'voice-sip', 'webrtc']);
  });

  it('and one comes back in time: it goes on, and the clock starts anew the next time', async () => {
    const { client } = stage.emulator;
    const world = stage.worlds[kind];
    const meeting = await meet(stage, world, { browsers_left_s: 300 });
    await client.leaveWebrtc(meeting.browser.connectionId, 'networkDisconnected');
    await untilLegs(stage, meeting, 'webrtc', ['ended']);
    await goBy(meeting, 200);
    const back = await joinBrowser(stage, meeting);
    expect(await readSession(stage, meeting)).toMatchObject({
      state: 'live',
      browsers_left_at: null,
      due_reason: 'max-duration',
    });
    await goBy(meeting, 200);
    expect(await hangUpSession(world, meeting.tenantId, meeting.sessionId)).not.toBe('done');
    expect((await readSession(stage, meeting)).state).toBe('live');
    await client.leaveWebrtc(back.connectionId);
    await untilLegs(stage, meeting, 'webrtc', ['ended', 'ended']);
    await goBy(meeting, 200);
    await hangUpSession(world, meeting.tenantId, meeting.sessionId);
    expect((await readSession(stage, meeting)).state).toBe('live');
  });
});

describe('the other clocks', () => {
  it.each([
    { clock: 'empty_s', reason: 'empty', leave: true },
    { clock: 'phones_left_s', reason: 'phones-left', leave: true },
    { clock: 'alone_s', reason: 'alone', leave: false },
  ] as const)('$clock: ends by $reason', async ({ clock, reason, leave }) => {
    const world = stage.worlds.unified;
    const meeting = await openRoom(world, { [clock]: 30 });
    const caller = await callIn(stage, world, meeting);
    if (leave) {
      await stage.emulator.client.hangUp(caller.id);
      await untilLegs(stage, meeting, 'inbound', ['ended']);
    }
    await goBy(meeting, 31);
    await hangUpUntilDone(stage, world, meeting);
    expect(await readSession(stage, meeting)).toMatchObject({ state: 'ended', end_reason: reason });
    expect(await upAtVendor(stage, meeting)).toEqual([]);
  });

  it('never used: ends with nobody to hang up', async () => {
    const world = stage.worlds.unified;
    const meeting = await openRoom(world, { never_used_s: 30 });
    await goBy(meeting, 31);
    expect(await hangUpUntilDone(stage, world, meeting)).toBe(1);
    expect(await readSession(stage, meeting)).toMatchObject({
      state: 'ended',
      end_reason: 'never-used',
      live_at: null,
    });
  });
});

describe('a room’s next session', () => {
  it('is opened once, however many ask at once: tokens and a caller', async () => {
    const world = stage.worlds.unified;
    const meeting = await openRoom(world);
    await stage.store.prisma.session.update({ where: { id: meeting.sessionId }, data: { state: 'ended' } });
    const person = await ringIn(stage);
    const keyed = stage.emulator.client.key(person.id, `${meeting.pin}#`);
    const ids = new Set(
      await Promise.all(Array.from({ length: 6 }, () => findOrOpenSession(world, meeting.tenantId, meeting.roomId))),
    );
    await keyed;
    await stage.emulator.client.awaitJoined(person.id);
    expect(ids.size).toBe(1);
    for (const sessionId of ids)
      expect((await readLegs(stage, { sessionId })).map((leg) => leg.kind)).toEqual(['inbound']);
    expect(await stage.store.prisma.session.count({ where: { room_id: meeting.roomId } })).toBe(2);
  });

  it('gets its video session with the first token, one for all', async () => {
    const world = stage.worlds.opentok;
    const meeting = await openRoom(world);
    await stage.store.prisma.session.update({ where: { id: meeting.sessionId }, data: { state: 'ended' } });
    const tokens = await Promise.all(
      Array.from({ length: 3 }, (_, i) => issueToken(world, meeting.tenantId, meeting.roomId, { name: `Guest ${i}` })),
    );
    expect(new Set(tokens.map((each) => each.mediaSessionId)).size).toBe(1);
    expect(new Set(tokens.map((each) => each.participantId)).size).toBe(3);
    expect(tokens[0]?.mediaSessionId).not.toBe(meeting.mediaSessionId);
    await expect(issueToken(world, 'ten_other', meeting.roomId, { name: 'Guest' })).rejects.toMatchObject({
      verdict: { reason: 'room-not-found' },
    });
  });
});

describe('a room that is ended', () => {
  it('lets nobody in: no token, no caller, no second ending', async () => {
    const world = stage.worlds.unified;
    const meeting = await meet(stage, world);
    expect(await endRoom(world, meeting.tenantId, meeting.roomId)).toEqual({
      decided: true,
      state: 'ending',
      sessionId: meeting.sessionId,
    });
    await expect(endRoom(world, meeting.tenantId, meeting.roomId)).rejects.toMatchObject({
      verdict: { reason: 'room-ended' },
    });
    await expect(endRoom(world, 'ten_other', meeting.roomId)).rejects.toMatchObject({
      verdict: { reason: 'room-not-found' },
    });
    await expect(issueToken(world, meeting.tenantId, meeting.roomId, { name: 'Guest' })).rejects.toMatchObject({
      verdict: { reason: 'room-ended' },
    });
    const person = await ringIn(stage);
    await stage.emulator.client.key(person.id, `${meeting.pin}#`);
    const { text } = await stage.emulator.client.awaitHeard(person.id);
    expect(text).toBeDefined();
    await stage.emulator.client.awaitPrompt(person.id);
    expect(
      (await stage.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: person.callId } })).session_id,
    ).toBeNull();
    await hangUpUntilDone(stage, world, meeting);
    expect(await upAtVendor(stage, meeting)).toEqual([]);
  });
});
