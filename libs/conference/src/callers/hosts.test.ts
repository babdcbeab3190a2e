import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addPin } from '../pins/add-pin.ts';
import { removePin } from '../pins/remove-pin.ts';
import { rotatePins } from '../pins/rotate-pins.ts';
import { applyLegEvent } from '../legs/apply-leg-event.ts';
import { dialOut, requestDialOut } from '../legs/dial-out.ts';
import { expireRoom } from '../rooms/expire-room.ts';
import { hangUpLeg } from '../hang-ups/hang-up-leg.ts';
import { hangUpSession } from '../hang-ups/hang-up-session.ts';
import { issueToken } from '../participants/issue-token.ts';
import { openBridge } from '../legs/open-bridge.ts';
import { endSession } from '../sessions/end-session.ts';
import { reconcile } from '../reconciliation/reconcile.ts';
import { sweepInventory } from '../reconciliation/sweep-inventory.ts';
import { removeParticipant } from '../participants/remove-participant.ts';
import { getPrompt } from '@partyline/domain/prompts';
import { updateRoom } from '../rooms/update-room.ts';
import {
  executeSql,
  moveLegsBack,
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
/** Waits until the provider has moved the caller into the conference, which follows the commit. */
const untilInConference = (id: string): Promise<void> =>
  until(
    async () =>
      (await harness.emulator.client.caller(id)).timeline.some(
        ({ event }) => event === 'waiting' || event === 'joined',
      ),
    true,
  );
/** Dials in, keys a PIN, and joins the conference or waits in it. */
async function joinWithPin(meeting: Meeting, pin: string): Promise<Awaited<ReturnType<typeof dialIn>>> {
  const person = await dialIn(harness);
  await harness.emulator.client.key(person.id, `${pin}#`);
  await until(
    async () => (await readLegs(harness, meeting, 'inbound')).find((leg) => leg.voice_call_id === person.callId)?.state,
    'joined',
  );
  await untilInConference(person.id);
  await settleNow(deps, meeting);
  return person;
}

const legOf = (callId: string) => harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: callId } });

describe('a room that waits for its host', () => {
  it('makes callers wait until the host calls', async () => {
    const meeting = await openRoom(deps, { wait_for_host: true });
    const caller = await joinWithPin(meeting, meeting.pin);
    expect(await heard(caller.id)).toContain('Thank you. Please wait. The conference starts when the host joins.');
    expect(await isStarted(meeting)).toBe(false);
    const host = await joinWithPin(meeting, meeting.hostPin);
    expect(await heard(host.id)).toContain('Thank you. You are now joining the conference.');
    expect(await isStarted(meeting)).toBe(true);
    expect((await readLegs(harness, meeting, 'inbound')).map(({ role }) => role)).toEqual(['participant', 'host']);
    const late = await joinWithPin(meeting, meeting.pin);
    expect(await heard(late.id)).toContain('Thank you. You are now joining the conference.');
  });

  it('dials the bridge only when the host joins by browser', async () => {
    const meeting = await openRoom(deps, { wait_for_host: true });
    await joinWithPin(meeting, meeting.pin);
    const guest = await issueToken(deps, meeting.tenantId, meeting.roomId, { name: 'Guest' });
    await joinBrowser(harness, { ...meeting, token: guest.token });
    await settleNow(deps, meeting);
    expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('not-wanted');
    // The first token of a room belongs to its host.
    await joinBrowser(harness, meeting);
    expect(await readSession(harness, meeting)).toMatchObject({ had_host: true, host_left_at: null });
    expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('dialled');
    await untilLegs(harness, meeting, 'bridge', ['joined']);
    await until(() => isStarted(meeting), true);
  });
});

it('a called participant of a room that waits for its host waits too, a called host does not', async () => {
  const meeting = await openRoom(deps, { wait_for_host: true });
  const ring = async (phone: string, role: 'participant' | 'host'): Promise<void> => {
    await harness.emulator.client.setPhone(phone, { mode: 'answer' });
    const { legId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone, role });
    expect(await dialOut(deps, meeting.tenantId, legId)).toBe('dialled');
    await until(
      async () => (await readLegs(harness, meeting, 'outbound')).find(({ id }) => id === legId)?.state,
      'joined',
    );
    await untilInConference((await harness.emulator.client.awaitRing(phone)).id);
  };
  await ring('+442079460021', 'participant');
  expect(await isStarted(meeting)).toBe(false);
  await ring('+442079460022', 'host');
  expect(await isStarted(meeting)).toBe(true);
});

it('the session ends by host-left after its grace period when the last host left', async () => {
  const meeting = await openRoom(deps, { host_left_s: 60 });
  const [host, guest] = [await joinWithPin(meeting, meeting.hostPin), await joinWithPin(meeting, meeting.pin)];
  await harness.emulator.client.hangUp(host.id);
  await untilLegs(harness, meeting, 'inbound', ['ended', 'joined']);
  expect(await readSession(harness, meeting)).toMatchObject({ state: 'live', due_reason: 'host-left' });
  await passTime(harness, 61);
  await hangUpUntilDone(harness, deps, meeting);
  expect(await readSession(harness, meeting)).toMatchObject({ state: 'ended', end_reason: 'host-left' });
  expect((await harness.emulator.client.caller(guest.id)).state).toBe('ended');
});

describe('the schedule of a room', () => {
  it('rejects callers before the start and after the end, without opening a session', async () => {
    const meeting = await openRoom(deps);
    await harness.store.pool.query(`UPDATE session SET state = 'ended' WHERE id = $1`, [meeting.sessionId]);
    for (const [settings, says] of [
      [
        { starts_at: new Date(Date.now() + 3_600_000) },
        'The conference has not started yet. Please call again later. Goodbye.',
      ],
      [{ starts_at: null, ends_at: new Date(Date.now() + 60_000) }, 'The conference has ended. Goodbye.'],
    ] as const) {
      await updateRoom(deps, meeting.tenantId, meeting.roomId, settings, null);
      if (says.includes('ended'))
        await executeSql(harness, `UPDATE room SET ends_at = now() WHERE id = $1`, [meeting.roomId]);
      const person = await dialIn(harness);
      await harness.emulator.client.key(person.id, `${meeting.pin}#`);
      await harness.emulator.client.awaitEnded(person.id);
      expect(await heard(person.id)).toContain(says);
    }
    expect(await harness.store.prisma.session.count({ where: { room_id: meeting.roomId } })).toBe(1);
  });

  it('hangs up all legs at the end', async () => {
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

  it('ends with its session at expiresAt', async () => {
    const meeting = await openRoom(deps, { expires_at: new Date(Date.now() + 600_000) });
    expect(await expireRoom(deps, meeting.tenantId, meeting.roomId)).toBe('later');
    await passTime(harness, 605);
    expect(await reconcile(deps)).toMatchObject({ 'expire-room': 1 });
    expect([await state(meeting), (await readSession(harness, meeting)).end_reason]).toEqual(['ended', 'room-expired']);
  });

  it('ends after its idle days without a session, and not while a session runs', async () => {
    const meeting = await openRoom(deps, { idle_days: 2 });
    await harness.store.pool.query(
      `UPDATE room SET created_at = now() - interval '3 days', expiry_check_at = now() - interval '1 day'
       WHERE id = $1`,
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

describe('a number of a room without PINs', () => {
  it('admits callers up to the maximum of participants', async () => {
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
    expect(await heard(first)).toEqual(['Thank you. You are now joining the conference.']);
    await harness.emulator.client.awaitJoined(await call());
    const third = await call();
    await harness.emulator.client.awaitEnded(third);
    expect(await heard(third)).toEqual(['The conference is full. Please try again later. Goodbye.']);
    await hangUpUntilEnded(meeting);
    await harness.store.prisma.dial_in_number.update({ where: { e164: NUMBER }, data: { dedicated_to: null } });
  });

  async function hangUpUntilEnded(meeting: Meeting): Promise<void> {
    await executeSql(harness, `UPDATE room SET state = 'ended', ended_at = now() WHERE id = $1`, [meeting.roomId]);
    await hangUpUntilDone(harness, deps, meeting);
  }
});

describe('PINs of a room', () => {
  it('a personal PIN admits its caller with their name and role until it is removed', async () => {
    const meeting = await openRoom(deps);
    const own = await addPin(deps, meeting.tenantId, meeting.roomId, { name: 'Grace', role: 'host' });
    await joinWithPin(meeting, own.pin);
    expect(await readLegs(harness, meeting)).toMatchObject([{ participant_id: own.participantId, role: 'host' }]);
    await removePin(deps, meeting.tenantId, meeting.roomId, own.id);
    const late = await dialIn(harness);
    await harness.emulator.client.key(late.id, `${own.pin}#`);
    await harness.emulator.client.awaitPrompt(late.id);
    expect(await heard(late.id)).toContain('This PIN is not valid. Please try again, followed by the hash key.');
    await harness.emulator.client.hangUp(late.id);
  });

  it('a personal PIN on a second telephone takes the place, and the first hears why its call ends', async () => {
    const meeting = await openRoom(deps, { max_participants: 2 });
    const own = await addPin(deps, meeting.tenantId, meeting.roomId, { name: 'Grace', role: 'host' });
    const [first, other] = [await joinWithPin(meeting, own.pin), await joinWithPin(meeting, meeting.pin)];
    await deps.provider.mute({ tenantId: meeting.tenantId, participantId: own.participantId, muted: true });
    // The room is full, and the first call is still up.
    const second = await joinWithPin(meeting, own.pin);
    expect(await legOf(second.callId)).toMatchObject({
      participant_id: own.participantId,
      role: 'host',
      muted: true,
      state: 'joined',
    });
    const isMuted = async (callId: string): Promise<boolean | undefined> =>
      (await harness.emulator.client.conversations())
        .flatMap(({ members }) => members)
        .find((member) => member.callId === callId)?.muted;
    expect(await isMuted(second.callId)).toBe(true);
    const replaced = await legOf(first.callId);
    expect(replaced).toMatchObject({ state: 'ending', hangup_reason: 'replaced' });
    expect(await hangUpLeg(deps, meeting.tenantId, replaced.id)).toEqual({ retryAfterMs: 7_000 });
    await harness.emulator.client.awaitEvent(first.id, 'heard');
    await until(async () => (await heard(first.id)).at(-1), getPrompt('en-GB', 'replaced'));
    expect((await legOf(first.callId)).state).toBe('ending');
    // The reason has been spoken; the next attempt hangs up.
    await moveLegsBack(harness, meeting, 8);
    await hangUpLeg(deps, meeting.tenantId, replaced.id);
    await until(async () => (await legOf(first.callId)).state, 'ended');
    for (const { callId } of [second, other]) expect((await legOf(callId)).state).toBe('joined');
    await deps.provider.mute({ tenantId: meeting.tenantId, participantId: own.participantId, muted: false });
    expect(await isMuted(second.callId)).toBe(false);
  });

  it.each(['before', 'after'])(
    'a replaced call is hung up without a delay when its session ends %s the reason is spoken',
    async (when) => {
      const meeting = await openRoom(deps);
      const own = await addPin(deps, meeting.tenantId, meeting.roomId, { name: 'Grace', role: 'participant' });
      const first = await joinWithPin(meeting, own.pin);
      await joinWithPin(meeting, own.pin);
      const [replaced] = await readLegs(harness, meeting);
      if (when === 'after') {
        await hangUpLeg(deps, meeting.tenantId, replaced?.id ?? '');
        await until(async () => (await heard(first.id)).at(-1), getPrompt('en-GB', 'replaced'));
      }
      await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
      await moveLegsBack(harness, meeting, 1);
      await hangUpSession(deps, meeting.tenantId, meeting.sessionId);
      await until(async () => (await harness.emulator.client.caller(first.id)).state, 'ended');
      await untilLegs(harness, meeting, 'inbound', ['ended', 'ended']);
      expect((await readLegs(harness, meeting))[0]).toMatchObject({ reason: 'replaced' });
      expect((await heard(first.id)).includes(getPrompt('en-GB', 'replaced'))).toBe(when === 'after');
    },
  );

  it('the telephone that keyed the PIN last has the place, although it rang first', async () => {
    const meeting = await openRoom(deps);
    const own = await addPin(deps, meeting.tenantId, meeting.roomId, { name: 'Grace', role: 'participant' });
    const first = await dialIn(harness);
    const second = await joinWithPin(meeting, own.pin);
    await harness.emulator.client.key(first.id, `${own.pin}#`);
    await harness.emulator.client.awaitJoined(first.id);
    await until(async () => (await legOf(first.callId)).state, 'joined');
    await settleNow(deps, meeting);
    expect(await legOf(second.callId)).toMatchObject({ state: 'ending', hangup_reason: 'replaced' });
  });

  it('a replaced call that is still up has no seat: another caller gets in', async () => {
    const meeting = await openRoom(deps, { max_participants: 2 });
    const own = await addPin(deps, meeting.tenantId, meeting.roomId, { name: 'Grace', role: 'participant' });
    const first = await joinWithPin(meeting, own.pin);
    await joinWithPin(meeting, own.pin);
    expect(await legOf(first.callId)).toMatchObject({ state: 'ending' });
    const other = await joinWithPin(meeting, meeting.pin);
    expect(await legOf(other.callId)).toMatchObject({ state: 'joined' });
    const late = await dialIn(harness);
    await harness.emulator.client.key(late.id, `${meeting.pin}#`);
    await until(async () => (await legOf(late.callId)).hangup_reason, 'room-full');
  });

  it('a first telephone whose call was falsely reported over does not take the place back', async () => {
    const meeting = await openRoom(deps);
    const own = await addPin(deps, meeting.tenantId, meeting.roomId, { name: 'Grace', role: 'participant' });
    const first = await joinWithPin(meeting, own.pin);
    const token = { accountId: null, jti: randomUUID(), expiresAt: new Date(Date.now() + 300_000) };
    const over = { kind: 'call', callId: first.callId, phase: 'over', at: new Date() } as const;
    await applyLegEvent(deps, { via: 'callback', token }, over);
    const second = await joinWithPin(meeting, own.pin);
    await sweepInventory(deps, null);
    const states = (await readLegs(harness, meeting)).map((leg) => [leg.voice_call_id, leg.state, leg.hangup_reason]);
    expect(states).toEqual([
      [null, 'ended', null],
      [second.callId, 'joined', null],
      [first.callId, 'ending', 'replaced'],
    ]);
  });

  it('a muted person who hangs up and calls again is still muted', async () => {
    const meeting = await openRoom(deps);
    await joinWithPin(meeting, meeting.pin);
    const own = await addPin(deps, meeting.tenantId, meeting.roomId, { name: 'Grace', role: 'participant' });
    const first = await joinWithPin(meeting, own.pin);
    await deps.provider.mute({ tenantId: meeting.tenantId, participantId: own.participantId, muted: true });
    await harness.emulator.client.hangUp(first.id);
    const second = await joinWithPin(meeting, own.pin);
    expect((await readLegs(harness, meeting)).find((leg) => leg.voice_call_id === second.callId)?.muted).toBe(true);
  });

  it('rotatePins replaces the PINs of the room', async () => {
    const meeting = await openRoom(deps);
    const { pin } = await rotatePins(deps, meeting.tenantId, meeting.roomId);
    const person = await dialIn(harness);
    await harness.emulator.client.key(person.id, `${meeting.pin}#`);
    await harness.emulator.client.awaitPrompt(person.id);
    await harness.emulator.client.key(person.id, `${pin}#`);
    expect(await harness.emulator.client.awaitJoined(person.id)).toMatchObject({ event: 'joined' });
  });
});

describe('a removed participant', () => {
  it('is hung up alone, and again when the browser returns with the same token', async () => {
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

describe('a participant on a telephone', () => {
  it('is muted and unmuted, and receives digits', async () => {
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

  it('is the only kind that can be muted: not a browser, an absent participant or one of another tenant', async () => {
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
