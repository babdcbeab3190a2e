import { listSessionEvents } from '@partyline/store/events/outbox';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readLegs, startMeeting } from '../testing/meeting.ts';
import { startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness();
});
afterAll(() => harness.close());

it("an event names the participant, the role, the masked number and the tenant's id of the room", async () => {
  const deps = harness.deps.unified;
  const meeting = await startMeeting(harness, deps, { external_id: 'booking-4711' });
  const events = (await listSessionEvents(deps.store, meeting.tenantId, meeting.sessionId, 1_000)) ?? [];
  const kindOf = new Map((await readLegs(harness, meeting)).map(({ id, kind }) => [id, kind]));
  const joined = events
    .filter(({ type }) => type === 'leg.joined')
    .map(({ data }) => {
      const { legId, name, role, number, externalId } = data as Record<string, string | null>;
      return { kind: kindOf.get(legId ?? ''), name, role, number, externalId };
    });
  const externalId = 'booking-4711';
  expect(joined).toEqual(
    expect.arrayContaining([
      { kind: 'webrtc', name: 'Host', role: 'host', number: null, externalId },
      { kind: 'inbound', name: 'Caller', role: 'participant', number: '+447*******01', externalId },
      { kind: 'bridge', name: null, role: null, number: null, externalId },
    ]),
  );
  expect(events.filter(({ type }) => type === 'session.live')).toMatchObject([{ data: { externalId } }]);
  expect(JSON.stringify(events.map(({ data }) => data))).not.toContain('7700900001');
});
