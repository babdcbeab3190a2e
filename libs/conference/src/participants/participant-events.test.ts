import { listEvents, listSessionEvents } from '@partyline/store/events/outbox';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hangUpLeg } from '../hang-ups/hang-up-leg.ts';
import { addPin } from '../pins/add-pin.ts';
import { changeSession } from '../sessions/change-session.ts';
import { joinBrowser, readLegs, scheduleRoom, startMeeting, untilLegs, type Meeting } from '../testing/meeting.ts';
import { startTestHarness, type TestDeps, type TestHarness } from '../testing/test-harness.ts';
import { removeParticipant } from './remove-participant.ts';
import { renameParticipant } from './rename-participant.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
afterAll(() => harness.close());

const eventsAbout = async (meeting: Meeting, participantId: string | null) =>
  ((await listSessionEvents(deps.store, meeting.tenantId, meeting.sessionId, 1_000)) ?? [])
    .map(({ type, data }) => ({ type, data: data as Record<string, unknown> }))
    .filter(({ type, data }) => type.startsWith('participant.') && data['participantId'] === participantId);

it('a caller who is removed has joined, is removed and has left', async () => {
  const meeting = await startMeeting(harness, deps);
  const leg = (await readLegs(harness, meeting, 'inbound')).at(0)!;
  const participantId = leg.participant_id ?? '';
  for (let i = 0; i < 2; i++) await removeParticipant(deps, meeting.tenantId, participantId);
  await hangUpLeg(deps, meeting.tenantId, leg.id);
  await untilLegs(harness, meeting, 'inbound', ['ended']);
  const person = { participantId, name: 'Caller', role: 'participant', externalId: null };
  const connection = { legId: leg.id, kind: 'inbound', number: '+447*******01' };
  expect(await eventsAbout(meeting, participantId)).toEqual([
    { type: 'participant.joined', data: { ...person, ...connection } },
    { type: 'participant.removed', data: { ...person, number: connection.number } },
    { type: 'participant.left', data: { ...person, ...connection, reason: 'removed' } },
  ]);
});

it('a browser that a newer one of the same participant replaces neither leaves nor joins', async () => {
  const meeting = await startMeeting(harness, deps);
  const old = (await readLegs(harness, meeting, 'webrtc')).at(0)!;
  await joinBrowser(harness, meeting);
  await hangUpLeg(deps, meeting.tenantId, old.id);
  await untilLegs(harness, meeting, 'webrtc', ['ended', 'joined']);
  expect((await eventsAbout(meeting, old.participant_id)).map(({ type }) => type)).toEqual(['participant.joined']);
});

it('a new name and a mute are one event each, and a repeated name is none', async () => {
  const meeting = await startMeeting(harness, deps);
  const leg = (await readLegs(harness, meeting, 'inbound')).at(0)!;
  const participantId = leg.participant_id ?? '';
  for (let i = 0; i < 2; i++) await renameParticipant(deps, meeting.tenantId, participantId, 'Ada');
  for (let i = 0; i < 2; i++)
    await changeSession(deps, meeting.tenantId, meeting.sessionId, ({ legs }) => {
      legs.find(({ id }) => id === leg.id)!.muted = true;
    });
  const updated = { participantId, name: 'Ada', role: 'participant', number: '+447*******01', externalId: null };
  expect((await eventsAbout(meeting, participantId)).filter(({ type }) => type === 'participant.updated')).toEqual([
    { type: 'participant.updated', data: { ...updated, muted: false } },
    { type: 'participant.updated', data: { ...updated, muted: true } },
  ]);
});

it('a participant of a room that never had a session is renamed and removed, in the events of the room', async () => {
  const { roomId } = await scheduleRoom(deps);
  const { participantId } = await addPin(deps, deps.tenantId, roomId, { name: 'Bea', role: 'participant' });
  for (let i = 0; i < 2; i++) await renameParticipant(deps, deps.tenantId, participantId, 'Ada');
  for (let i = 0; i < 2; i++) await removeParticipant(deps, deps.tenantId, participantId);
  const events = await listEvents(deps.store, deps.tenantId, {
    after: null,
    upTo: '1000000',
    types: ['participant.updated', 'participant.removed'],
    roomId,
    limit: 100,
  });
  const person = { participantId, name: 'Ada', role: 'participant', number: null, externalId: null };
  expect(events.map(({ session_id, seq, type, data }) => ({ session_id, seq, type, data }))).toEqual([
    { session_id: null, seq: 2, type: 'participant.updated', data: { ...person, muted: false } },
    { session_id: null, seq: 3, type: 'participant.removed', data: person },
  ]);
});

it('a participant of another tenant is unknown', async () => {
  const meeting = await startMeeting(harness, deps);
  const { participant_id } = (await readLegs(harness, meeting, 'inbound')).at(0)!;
  await expect(renameParticipant(deps, 'ten_other', participant_id ?? '', 'Eve')).rejects.toMatchObject({
    verdict: { reason: 'participant-not-found' },
  });
});
