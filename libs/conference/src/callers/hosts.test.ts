import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addPin, removePin, rotatePins } from '../pins/add-pin.ts';
import { dialOut, requestDialOut } from '../legs/dial-out.ts';
import { expireRoom } from '../rooms/expire-room.ts';
import { hangUpLeg } from '../hang-ups/hang-up-leg.ts';
import { hangUpSession } from '../hang-ups/hang-up-session.ts';
import { issueToken } from '../participants/issue-token.ts';
import { openBridge } from '../legs/open-bridge.ts';
import { reconcile } from '../reconciliation/reconcile.ts';
import { removeParticipant } from '../participants/remove-participant.ts';
import { updateRoom } from '../rooms/update-room.ts';
import {
  alterRows,
  callIn,
  hangUpUntilDone,
  joinBrowser,
  meet,
  openRoom,
  readLegs,
  readSession,
  ringIn,
  settleNow,
  until,
  untilLegs,
  upAtVendor,
  type Meeting,
} from '../testing/meeting.ts';
import { passTime } from '../testing/pass-time.ts';
import { NUMBER, setStage, type Stage, type World } from '../testing/test-harness.ts';

let stage: Stage;
let world: World;
beforeAll(async () => {
  stage = await setStage();
  world = stage.worlds.unified;
});
afterAll(() => stage.close());

const heard = async (id: string): Promise<string[]> =>
  (await stage.emulator.client.caller(id)).timeline.flatMap(({ event, text }) =>
    event === 'heard' || event === 'prompt' ? [text ?? ''] : [],
  );
const isStarted = async (meeting: Meeting): Promise<boolean | undefined> => {
  const { conversation } = await readSession(stage, meeting);
  return (await stage.emulator.client.conversations()).find(({ name }) => name === conversation)?.started;
};
/** Until the vendor has told somebody to wait, or let them in: that comes after the row says so. */
const isIn = (id: string): Promise<void> =>
  until(
    async () =>
      (await stage.emulator.client.caller(id)).timeline.some(({ event }) => event === 'waiting' || event === 'joined'),
    true,
  );
/** Rings in, keys a PIN, and waits in the conference or is in it. */
async function come(meeting: Meeting, pin: string): Promise<Awaited<ReturnType<typeof ringIn>>> {
  const person = await ringIn(stage);
  await stage.emulator.client.key(person.id, `${pin}#`);
  await until(
    async () => (await readLegs(stage, meeting, 'inbound')).find((leg) => leg.voice_call_id === person.callId)?.state,
    'joined',
  );
  await isIn(person.id);
  await settleNow(world, meeting);
  return person;
}

describe('a room that waits for its host', () => {
  it('tells callers to wait, and lets them in with the host who calls', async () => {
    const meeting = await openRoom(world, { wait_for_host: true });
    const caller = await come(meeting, meeting.pin);
    expect(await heard(caller.id)).toContain('Thank you. Please hold the line until the host has joined.');
    expect(await isStarted(meeting)).toBe(false);
    const host = await come(meeting, meeting.hostPin);
    expect(await heard(host.id)).toContain('Thank you. You are joining the conference now.');
    expect(await isStarted(meeting)).toBe(true);
    expect((await readLegs(stage, meeting, 'inbound')).map(({ role }) => role)).toEqual(['participant', 'host']);
    const late = await come(meeting, meeting.pin);
    expect(await heard(late.id)).toContain('Thank you. You are joining the conference now.');
  });

  it('does not bridge browsers to them before, and does with the host’s browser', async () => {
    const meeting = await openRoom(world, { wait_for_host: true });
    await come(meeting, meeting.pin);
    const guest = await issueToken(world, meeting.tenantId, meeting.roomId, { name: 'Guest' });
    await joinBrowser(stage, { ...meeting, token: guest.token });
    await settleNow(world, meeting);
    expect(await openBridge(world, meeting.tenantId, meeting.sessionId)).toBe('not-wanted');
    // The room's first token is its host's.
    await joinBrowser(stage, meeting);
    expect(await readSession(stage, meeting)).toMatchObject({ had_host: true, host_left_at: null });
    expect(await openBridge(world, meeting.tenantId, meeting.sessionId)).toBe('dialled');
    await untilLegs(stage, meeting, 'bridge', ['joined']);
    await until(() => isStarted(meeting), true);
  });
});

it('who is rung by such a room waits too, unless they are its host', async () => {
  const meeting = await openRoom(world, { wait_for_host: true });
  const ring = async (phone: string, role: 'participant' | 'host'): Promise<void> => {
    await stage.emulator.client.setPhone(phone, { mode: 'answer' });
    const { legId } = await requestDialOut(world, meeting.tenantId, meeting.roomId, { phone, role });
    expect(await dialOut(world, meeting.tenantId, legId)).toBe('dialled');
    await until(
      async () => (await readLegs(stage, meeting, 'outbound')).find(({ id }) => id === legId)?.state,
      'joined',
    );
    await isIn((await stage.emulator.client.awaitRing(phone)).id);
  };
  await ring('+442079460021', 'participant');
  expect(await isStarted(meeting)).toBe(false);
  await ring('+442079460022', 'host');
  expect(await isStarted(meeting)).toBe(true);
});

it('when the last host left, the session ends after its time of grace, with this reason', async () => {
  const meeting = await openRoom(world, { host_left_s: 60 });
  const [host, guest] = [await come(meeting, meeting.hostPin), await come(meeting, meeting.pin)];
  await stage.emulator.client.hangUp(host.id);
  await untilLegs(stage, meeting, 'inbound', ['ended', 'joined']);
  expect(await readSession(stage, meeting)).toMatchObject({ state: 'live', due_reason: 'host-left' });
  await passTime(stage, 61);
  await hangUpUntilDone(stage, world, meeting);
  expect(await readSession(stage, meeting)).toMatchObject({ state: 'ended', end_reason: 'host-left' });
  expect((await stage.emulator.client.caller(guest.id)).state).toBe('ended');
});

describe('a room’s time', () => {
  it('before it callers hear that it is not open yet, after it that it is over; nobody’s session is opened', async () => {
    const meeting = await openRoom(world);
    await stage.store.pool.query(`UPDATE session SET state = 'ended' WHERE id = $1`, [meeting.sessionId]);
    for (const [settings, says] of [
      [
        { starts_at: new Date(Date.now() + 3_600_000) },
        'This conference is not open yet. Please call again later. Good bye.',
      ],
      [{ starts_at: null, ends_at: new Date(Date.now() + 60_000) }, 'This conference is over. Good bye.'],
    ] as const) {
      await updateRoom(world, meeting.tenantId, meeting.roomId, settings, null);
      if (says.includes('over'))
        await alterRows(stage, `UPDATE room SET ends_at = now() WHERE id = $1`, [meeting.roomId]);
      const person = await ringIn(stage);
      await stage.emulator.client.key(person.id, `${meeting.pin}#`);
      await stage.emulator.client.awaitEnded(person.id);
      expect(await heard(person.id)).toContain(says);
    }
    expect(await stage.store.prisma.session.count({ where: { room_id: meeting.roomId } })).toBe(1);
  });

  it('at its end everybody is hung up', async () => {
    const meeting = await meet(stage, world, { ends_at: new Date(Date.now() + 3_600_000) });
    expect(await readSession(stage, meeting)).toMatchObject({ due_reason: 'schedule-ended' });
    await passTime(stage, 3_601);
    expect(await hangUpSession(world, meeting.tenantId, meeting.sessionId)).not.toBe('done');
    await hangUpUntilDone(stage, world, meeting);
    expect(await readSession(stage, meeting)).toMatchObject({ state: 'ended', end_reason: 'schedule-ended' });
    expect(await upAtVendor(stage, meeting)).toEqual([]);
  });
});

describe('a room that expires', () => {
  const state = async (meeting: Meeting): Promise<string> =>
    (await stage.store.prisma.room.findUniqueOrThrow({ where: { id: meeting.roomId } })).state;

  it('ends by itself when its time has come, with its session', async () => {
    const meeting = await openRoom(world, { expires_at: new Date(Date.now() + 600_000) });
    expect(await expireRoom(world, meeting.tenantId, meeting.roomId)).toBe('later');
    await passTime(stage, 605);
    expect(await reconcile(world)).toMatchObject({ 'expire-room': 1 });
    expect([await state(meeting), (await readSession(stage, meeting)).end_reason]).toEqual(['ended', 'room-expired']);
  });

  it('or when its last session has been over for so many days, and not while one runs', async () => {
    const meeting = await openRoom(world, { idle_days: 2 });
    await stage.store.pool.query(
      `UPDATE room SET created_at = now() - interval '3 days', expiry_check_at = now() - interval '1 day' WHERE id = $1`,
      [meeting.roomId],
    );
    expect(await expireRoom(world, meeting.tenantId, meeting.roomId)).toBe('later');
    await stage.store.pool.query(
      `UPDATE session SET state = 'ended', ended_at = now() - interval '47 hours' WHERE id = $1`,
      [meeting.sessionId],
    );
    expect(await expireRoom(world, meeting.tenantId, meeting.roomId)).toBe('later');
    const { expiry_check_at } = await stage.store.prisma.room.findUniqueOrThrow({ where: { id: meeting.roomId } });
    expect(Math.round((expiry_check_at!.getTime() - Date.now()) / 60_000)).toBe(60);
    await passTime(stage, 3_700);
    expect(await expireRoom(world, meeting.tenantId, meeting.roomId)).toBe('ended');
    expect(await state(meeting)).toBe('ended');
  });
});

describe('a number that leads to a room without a PIN', () => {
  it('lets its callers in by the same rules, and a repeated webhook gets the same answer', async () => {
    await alterRows(stage, `UPDATE room SET state = 'ended', ended_at = now() - interval '2 days'`);
    await stage.store.prisma.dial_in_number.update({ where: { e164: NUMBER }, data: { dedicated_to: world.tenantId } });
    const meeting = await openRoom(world, { pinless: true, max_participants: 2 });
    const call = async (): Promise<string> =>
      (await stage.emulator.client.dial({ from: '+447700900009', to: NUMBER })).id;
    const first = await call();
    await stage.emulator.client.awaitJoined(first);
    await untilLegs(stage, meeting, 'inbound', ['joined']);
    expect(await heard(first)).toEqual(['Thank you. You are joining the conference now.']);
    await stage.emulator.client.awaitJoined(await call());
    const third = await call();
    await stage.emulator.client.awaitEnded(third);
    expect(await heard(third)).toEqual(['This conference is full. Please try again later. Good bye.']);
    await hangUpUntilEnded(meeting);
    await stage.store.prisma.dial_in_number.update({ where: { e164: NUMBER }, data: { dedicated_to: null } });
  });

  async function hangUpUntilEnded(meeting: Meeting): Promise<void> {
    await alterRows(stage, `UPDATE room SET state = 'ended', ended_at = now() WHERE id = $1`, [meeting.roomId]);
    await hangUpUntilDone(stage, world, meeting);
  }
});

describe('a PIN of somebody’s own', () => {
  it('shows its caller on the roster under their name and role, until it is taken back', async () => {
    const meeting = await openRoom(world);
    const own = await addPin(world, meeting.tenantId, meeting.roomId, { name: 'Grace', role: 'host' });
    await come(meeting, own.pin);
    expect(await readLegs(stage, meeting)).toMatchObject([{ participant_id: own.participantId, role: 'host' }]);
    await removePin(world, meeting.tenantId, meeting.roomId, own.id);
    const late = await ringIn(stage);
    await stage.emulator.client.key(late.id, `${own.pin}#`);
    await stage.emulator.client.awaitPrompt(late.id);
    expect(await heard(late.id)).toContain('This PIN is not known. Please try again, followed by the hash key.');
    await stage.emulator.client.hangUp(late.id);
  });

  it('and a room’s own PINs let nobody in once they were drawn anew', async () => {
    const meeting = await openRoom(world);
    const { pin } = await rotatePins(world, meeting.tenantId, meeting.roomId);
    const person = await ringIn(stage);
    await stage.emulator.client.key(person.id, `${meeting.pin}#`);
    await stage.emulator.client.awaitPrompt(person.id);
    await stage.emulator.client.key(person.id, `${pin}#`);
    expect(await stage.emulator.client.awaitJoined(person.id)).toMatchObject({ event: 'joined' });
  });
});

describe('somebody who is sent out', () => {
  it('is hung up alone, and a browser that comes back by the same token is hung up again', async () => {
    const meeting = await meet(stage, world);
    const browser = (await readLegs(stage, meeting, 'webrtc')).at(0)!;
    const { legIds } = await removeParticipant(world, meeting.tenantId, browser.participant_id!);
    expect(legIds).toEqual([browser.id]);
    await hangUpLeg(world, meeting.tenantId, browser.id);
    await untilLegs(stage, meeting, 'webrtc', ['ended']);
    await joinBrowser(stage, meeting);
    const back = (await readLegs(stage, meeting, 'webrtc')).at(1)!;
    expect(back).toMatchObject({ state: 'ending', hangup_reason: 'removed' });
    await hangUpLeg(world, meeting.tenantId, back.id);
    await untilLegs(stage, meeting, 'webrtc', ['ended', 'ended']);
    expect((await readSession(stage, meeting)).state).toBe('live');
    expect((await readLegs(stage, meeting, 'inbound'))[0]).toMatchObject({
      state: 'joined',
      hangup_requested_at: null,
    });
  });
});

describe('somebody on the telephone', () => {
  it('is muted and unmuted, and hears the keys that are pressed for them', async () => {
    const meeting = await openRoom(world);
    const person = await callIn(stage, world, meeting);
    const { participant_id: participantId, id: legId } = (await readLegs(stage, meeting)).at(0)!;
    const who = { tenantId: meeting.tenantId, participantId: participantId! };
    expect(await world.provider.mute({ ...who, muted: true })).toEqual({ legId });
    expect((await readLegs(stage, meeting))[0]).toMatchObject({ muted: true, state: 'joined' });
    expect(
      (await stage.emulator.client.conversations())
        .flatMap(({ members }) => members)
        .find(({ callId }) => callId === person.callId)?.muted,
    ).toBe(true);
    await world.provider.mute({ ...who, muted: false });
    expect((await readLegs(stage, meeting)).at(0)?.muted).toBe(false);
    await world.provider.sendDigits({ ...who, digits: '12#' });
    expect((await stage.emulator.client.awaitEvent(person.id, 'dtmf-heard')).text).toBe('12#');
  });

  it('and a browser is not, nor somebody who is not there, nor another tenant’s', async () => {
    const meeting = await meet(stage, world);
    const browser = (await readLegs(stage, meeting, 'webrtc')).at(0)!;
    const ask = (participantId: string, tenantId = meeting.tenantId): Promise<unknown> =>
      world.provider.mute({ tenantId, participantId, muted: true });
    await expect(ask(browser.participant_id!)).rejects.toMatchObject({ verdict: { reason: 'not-supported' } });
    await expect(
      world.provider.sendDigits({ tenantId: meeting.tenantId, participantId: browser.participant_id!, digits: '1' }),
    ).rejects.toMatchObject({ verdict: { reason: 'not-supported' } });
    await expect(ask(browser.participant_id!, 'ten_other')).rejects.toMatchObject({
      verdict: { reason: 'participant-not-found' },
    });
    const own = await addPin(world, meeting.tenantId, meeting.roomId, { name: 'Grace', role: 'participant' });
    await expect(ask(own.participantId)).rejects.toMatchObject({ verdict: { reason: 'participant-not-connected' } });
  });
});
