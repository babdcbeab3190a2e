import { listSessionEvents } from '@partyline/store/events/outbox';
import { readParticipant } from '@partyline/store/participants/participants';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hangUpLeg } from '../hang-ups/hang-up-leg.ts';
import { endSession } from '../sessions/end-session.ts';
import { hangUpUntilDone, joinBrowser, readLegs, startMeeting, untilLegs } from '../testing/meeting.ts';
import { startTestHarness, type TestDeps, type TestHarness } from '../testing/test-harness.ts';
import { removeParticipant } from './remove-participant.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
afterAll(() => harness.close());

it.each([
  ['a caller', 'inbound'],
  ['a browser', 'webrtc'],
] as const)('keeps `removed` as the reason of %s, in the roster and in the event', async (_, kind) => {
  const meeting = await startMeeting(harness, deps);
  const leg = (await readLegs(harness, meeting, kind)).at(0)!;
  await removeParticipant(deps, meeting.tenantId, leg.participant_id ?? '');
  await hangUpLeg(deps, meeting.tenantId, leg.id);
  await untilLegs(harness, meeting, kind, ['ended']);
  const ended = { outcome: 'success', reason: 'removed' };
  expect((await readParticipant(deps.store, meeting.tenantId, leg.participant_id ?? ''))?.leg).toMatchObject(ended);
  const events = await listSessionEvents(deps.store, meeting.tenantId, meeting.sessionId, 1_000);
  expect(events?.filter(({ type }) => type === 'leg.ended')).toMatchObject([{ data: { legId: leg.id, ...ended } }]);
});

it('keeps `replaced` as the reason of a browser that a newer one replaced', async () => {
  const meeting = await startMeeting(harness, deps);
  const old = (await readLegs(harness, meeting, 'webrtc')).at(0)!;
  await joinBrowser(harness, meeting);
  await hangUpLeg(deps, meeting.tenantId, old.id);
  await untilLegs(harness, meeting, 'webrtc', ['ended', 'joined']);
  expect((await readLegs(harness, meeting, 'webrtc')).at(0)).toMatchObject({ reason: 'replaced' });
});

it('leaves how a connection ended to the provider when the session ends', async () => {
  const meeting = await startMeeting(harness, deps);
  await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
  await hangUpUntilDone(harness, deps, meeting);
  expect((await readLegs(harness, meeting, 'inbound')).at(0)).toMatchObject({
    outcome: 'success',
    reason: 'completed',
  });
});
