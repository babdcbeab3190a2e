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
  executeSql,
  joinByPhone,
  hangUpUntilDone,
  joinBrowser,
  startMeeting,
  openRoom,
  readLegs,
  readSession,
  dialIn,
  settleNow,
  until,
  untilLegs,
  listLegsAtProvider,
  type Meeting,
} from '../testing/meeting.ts';
import { passTime } from '../testing/pass-time.ts';
import { NUMBER, startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
afterAll(() => harness.close());

const heard = async (id: string): Promise<string[]> =>
  (await harness.emulator.client.caller(id)).timeline.flatMap(({ event, text }) =>
    event === 'heard' || event === 'prompt' ? [text ?? ''] : [],
  );
const isStarted = async (meeting: Meeting): Promise<boolean | undefined> => {
  const { conversation } = await readSession(harness, meeting);
  return (await harness.emulator.client.conversations()).find(({ name }) => name === conversation)?.started;
};
/** Until the vendor has told somebody to wait, or let them in: that comes after the row says so. */
const isIn = (id: string): Promise<void> =>
  until(
    async () =>
      (await harness.emulator.client.caller(id)).timeline.some(
        ({ event }) => event === 'waiting' || event === 'joined',
      ),
    true,
  );
/** Rings in, keys a PIN, and waits in the conference or is in it. */
async function come(meeting: Meeting, pin: string): Promise<Awaited<ReturnType<typeof dialIn>>> {
  const person = await dialIn(harness);
  await harness.emulator.client.key(person.id, `${pin}#`);
  await until(
    async () => (await readLegs(harness, meeting, 'inbound')).find((leg) => leg.voice_call_id === person.callId)?.state,
    'joined',
  );
  await isIn(person.id);
  await settleNow(deps, meeting);
  return person;
}

describe('a room that waits for its host', () => {
  it('tells callers to wait, and lets them in with the host who calls', async () => {
    const meeting = await openRoom(deps, { wait_for_host: true });
    const caller = await come(meeting, meeting.pin);
    expect(await heard(caller.id)).toContain('Thank you. Please hold the line until the host has joined.');
    expect(await isStarted(meeting)).toBe(false);
    const host = await come(meeting, meeting.hostPin);
    expect(await heard(host.id)).toContain('Thank you. You are joining the conference now.');
    expect(await isStarted(meeting)).toBe(true);
    expect((await readLegs(harness, meeting, 'inbound')).map(({ role }) => role)).toEqual(['participant', 'host']);
    const late = await come(meeting, meeting.pin);
    expect(await heard(late.id)).toContain('Thank you. You are joining the conference now.');
  });

  it('does not bridge browsers to them before, and does with the host’s browser', async () => {
    const meeting = await openRoom(deps, { wait_for_host: true });
    await come(meeting, meeting.pin);
    const guest = await issueToken(deps, meeting.tenantId, meeting.roomId, { name: 'Guest' });
    await joinBrowser(harness, { ...meeting, token: guest.token });
    await settleNow(deps, meeting);
    expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('not-wanted');
    // The room's first token is its host's.
    await joinBrowser(harness, meeting);
    expect(await readSession(harness, meeting)).toMatchObject({ had_host: true, host_left_at: null });
    expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('dialled');
    await untilLegs(harness, meeting, 'bridge', ['joined']);
    await until(() => isStarted(meeting), true);
  });
});

it('who is rung by such a room waits too, unless they are its host', async () => {
  const meeting = await openRoom(deps, { wait_for_host: true });
  const ring = async (phone: string, role: 'participant' | 'host'): Promise<void> => {
    await harness.emulator.client.setPhone(phone, { mode: 'answer' });
    const { legId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone, role });
    expect(await dialOut(deps, meeting.tenantId, legId)).toBe('dialled');
    await until(
      async () => (await readLegs(harness, meeting, 'outbound')).find(({ id }) => id === legId)?.state,
      'joined',
    );
    await isIn((await harness.emulator.client.awaitRing(phone)).id);
  };
  await ring('+442079460021', 'participant');
  expect(await isStarted(meeting)).toBe(false);
  await ring('+442079460022', 'host');
  expect(await isStarted(meeting)).toBe(true);
});

it('when the last host left, the session ends after its time of grace, with this reason', async () => {
  const meeting = await openRoom(deps, { host_left_s: 60 });
  const [host, guest] = [await come(meeting, meeting.hostPin), await come(meeting, meeting.pin)];
  await harness.emulator.client.hangUp(host.id);
  await untilLegs(harness, meeting, 'inbound', ['ended', 'joined']);
  expect(await readSession(harness, meeting)).toMatchObject({ state: 'live', due_reason: 'host-left' });
  await passTime(harness, 61);
  await hangUpUntilDone(harness, deps, meeting);
  expect(await readSession(harness, meeting)).toMatchObject({ state: 'ended', end_reason: 'host-left' });
  expect((await harness.emulator.client.caller(guest.id)).state).toBe('ended');
});

describe('a room’s time', () => {
  it('before it callers hear that it is not open yet, after it that it is over; nobody’s session is opened', async () => {
    const meeting = await openRoom(deps);
    await harness.store.pool.query(`UPDATE session SET state = 'ended' WHERE id = $1`, [meeting.sessionId]);
    for (const [settings, says] of [
      [
        { starts_at: new Date(Date.now() + 3_600_000) },
        'This conference is not open yet. Please call again later. Good bye.',
      ],
      [{ starts_at: null, ends_at: new Date(Date.now() + 60_000) }, 'This conference is over. Good bye.'],
    ] as const) {
      await updateRoom(deps, meeting.tenantId, meeting.roomId, settings, null);
      if (says.includes('over'))
        await executeSql(harness, `UPDATE room SET ends_at = now() WHERE id = $1`, [meeting.roomId]);
      const person = await dialIn(harness);
      await harness.emulator.client.key(person.id, `${meeting.pin}#`);
      await harness.emulator.client.awaitEnded(person.id);
      expect(await heard(person.id)).toContain(says);
    }
    expect(await harness.store.prisma.session.count({ where: { room_id: meeting.roomId } })).toBe(1);
  });

  it('at its end everybody is hung up', async () => {
    const meeting = await startMeeting(harness, deps, { ends_at: new Date(Date.now() + 3_600_000) });
    expect(await readSession(harness, meeting)).toMatchObject({ due_reason: 'schedule-ended' });
    await passTime(harness, 3_601);
    expect(await hangUpSession(deps, meeting.tenantId, meeting.sessionId)).not.toBe('done');
    await hangUpUntilDone(harness, deps, meeting);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ended', end_reason: 'schedule-ended' });
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });
});

describe('a room that expires', () => {
  const state = async (meeting: Meeting): Promise<string> =>
    (await harness.store.prisma.room.findUniqueOrThrow({ where: { id: meeting.roomId } })).state;

  it('ends by itself when its time has come, with its session', async () => {
    const meeting = await openRoom(deps, { expires_at: new Date(Date.now() + 600_000) });
    expect(await expireRoom(deps, meeting.tenantId, meeting.roomId)).toBe('later');
    await passTime(harness, 605);
    expect(await reconcile(deps)).toMatchObject({ 'expire-room': 1 });
    expect([await state(meeting), (await readSession(harness, meeting)).end_reason]).toEqual(['ended', 'room-expired']);
  });

  it('or when its last session has been over for so many days, and not while one runs', async () => {
    const meeting = await openRoom(deps, { idle_days: 2 });
    await harness.store.pool.query(
      `UPDATE room SET created_at = now() - interval '3 days', expiry_check_at = now() - interval '1 day' WHERE id = $1`,
      [meeting.roomId],
    );
    expect(await expireRoom(deps, meeting.tenantId, meeting.roomId)).toBe('later');
    await harness.store.pool.query(
      `UPDATE session SET state = 'ended', ended_at = now() - interval '47 hours' WHERE id = $1`,
      [meeting.sessionId],
    );
    expect(await expireRoom(deps, meeting.tenantId, meeting.roomId)).toBe('later');
    const { expiry_check_at } = await harness.store.prisma.room.findUniqueOrThrow({ where: { id: meeting.roomId } });
    expect(Math.round((expiry_check_at!.getTime() - Date.now()) / 60_000)).toBe(60);
    await passTime(harness, 3_700);
    expect(await expireRoom(deps, meeting.tenantId, meeting.roomId)).toBe('ended');
    expect(await state(meeting)).toBe('ended');
  });
});

describe('a number that leads to a room without a PIN', () => {
  it('lets its callers in by the same rules, and a repeated webhook gets the same answer', async () => {
    await executeSql(harness, `UPDATE room SET state = 'ended', ended_at = now() - interval '2 days'`);
    await harness.store.prisma.dial_in_number.update({
      where: { e164: NUMBER },
      data: { dedicated_to: deps.tenantId },
    });
    const meeting = await openRoom(deps, { pinless: true, max_participants: 2 });
    const call = async (): Promise<string> =>
      (await harness.emulator.client.dial({ from: '+447700900009', to: NUMBER })).id;
    const first = await call();
    await harness.emulator.client.awaitJoined(first);
    await untilLegs(harness, meeting, 'inbound', ['joined']);
    expect(await heard(first)).toEqual(['Thank you. You are joining the conference now.']);
    await harness.emulator.client.awaitJoined(await call());
    const third = await call();
    await harness.emulator.client.awaitEnded(third);
    expect(await heard(third)).toEqual(['This conference is full. Please try again later. Good bye.']);
    await hangUpUntilEnded(meeting);
    await harness.store.prisma.dial_in_number.update({ where: { e164: NUMBER }, data: { dedicated_to: null } });
  });

  async function hangUpUntilEnded(meeting: Meeting): Promise<void> {
    await executeSql(harness, `UPDATE room SET state = 'ended', ended_at = now() WHERE id = $1`, [meeting.roomId]);
    await hangUpUntilDone(harness, deps, meeting);
  }
});

describe('a PIN of somebody’s own', () => {
  it('shows its caller on the roster under their name and role, until it is taken back', async () => {
    const meeting = await openRoom(deps);
    const own = await addPin(deps, meeting.tenantId, meeting.roomId, { name: 'Grace', role: 'host' });
    await come(meeting, own.pin);
    expect(await readLegs(harness, meeting)).toMatchObject([{ participant_id: own.participantId, role: 'host' }]);
    await removePin(deps, meeting.tenantId, meeting.roomId, own.id);
    const late = await dialIn(harness);
    await harness.emulator.client.key(late.id, `${own.pin}#`);
    await harness.emulator.client.awaitPrompt(late.id);
    expect(await heard(late.id)).toContain('This PIN is not known. Please try again, followed by the hash key.');
    await harness.emulator.client.hangUp(late.id);
  });

  it('and a room’s own PINs let nobody in once they were drawn anew', async () => {
    const meeting = await openRoom(deps);
    const { pin } = await rotatePins(deps, meeting.tenantId, meeting.roomId);
    const person = await dialIn(harness);
    await harness.emulator.client.key(person.id, `${meeting.pin}#`);
    await harness.emulator.client.awaitPrompt(person.id);
    await harness.emulator.client.key(person.id, `${pin}#`);
    expect(await harness.emulator.client.awaitJoined(person.id)).toMatchObject({ event: 'joined' });
  });
});

describe('somebody who is sent out', () => {
  it('is hung up alone, and a browser that comes back by the same token is hung up again', async () => {
    const meeting = await startMeeting(harness, deps);
    const browser = (await readLegs(harness, meeting, 'webrtc')).at(0)!;
    const { legIds } = await removeParticipant(deps, meeting.tenantId, browser.participant_id!);
    expect(legIds).toEqual([browser.id]);
    await hangUpLeg(deps, meeting.tenantId, browser.id);
    await untilLegs(harness, meeting, 'webrtc', ['ended']);
    await joinBrowser(harness, meeting);
    const back = (await readLegs(harness, meeting, 'webrtc')).at(1)!;
    expect(back).toMatchObject({ state: 'ending', hangup_reason: 'removed' });
    await hangUpLeg(deps, meeting.tenantId, back.id);
    await untilLegs(harness, meeting, 'webrtc', ['ended', 'ended']);
    expect((await readSession(harness, meeting)).state).toBe('live');
    expect((await readLegs(harness, meeting, 'inbound'))[0]).toMatchObject({
      state: 'joined',
      hangup_requested_at: null,
    });
  });
});

describe('somebody on the telephone', () => {
  it('is muted and unmuted, and hears the keys that are pressed for them', async () => {
    const meeting = await openRoom(deps);
    const person = await joinByPhone(harness, deps, meeting);
    const { participant_id: participantId, id: legId } = (await readLegs(harness, meeting)).at(0)!;
    const who = { tenantId: meeting.tenantId, participantId: participantId! };
    expect(await deps.provider.mute({ ...who, muted: true })).toEqual({ legId });
    expect((await readLegs(harness, meeting))[0]).toMatchObject({ muted: true, state: 'joined' });
    expect(
      (await harness.emulator.client.conversations())
        .flatMap(({ members }) => members)
        .find(({ callId }) => callId === person.callId)?.muted,
    ).toBe(true);
    await deps.provider.mute({ ...who, muted: false });
    expect((await readLegs(harness, meeting)).at(0)?.muted).toBe(false);
    await deps.provider.sendDigits({ ...who, digits: '12#' });
    expect((await harness.emulator.client.awaitEvent(person.id, 'dtmf-heard')).text).toBe('12#');
  });

  it('and a browser is not, nor somebody who is not there, nor another tenant’s', async () => {
    const meeting = await startMeeting(harness, deps);
    const browser = (await readLegs(harness, meeting, 'webrtc')).at(0)!;
    const ask = (participantId: string, tenantId = meeting.tenantId): Promise<unknown> =>
      deps.provider.mute({ tenantId, participantId, muted: true });
    await expect(ask(browser.participant_id!)).rejects.toMatchObject({ verdict: { reason: 'not-supported' } });
    await expect(
      deps.provider.sendDigits({ tenantId: meeting.tenantId, participantId: browser.participant_id!, digits: '1' }),
    ).rejects.toMatchObject({ verdict: { reason: 'not-supported' } });
    await expect(ask(browser.participant_id!, 'ten_other')).rejects.toMatchObject({
      verdict: { reason: 'participant-not-found' },
    });
    const own = await addPin(deps, meeting.tenantId, meeting.roomId, { name: 'Grace', role: 'participant' });
    await expect(ask(own.participantId)).rejects.toMatchObject({ verdict: { reason: 'participant-not-connected' } });
  });
});
