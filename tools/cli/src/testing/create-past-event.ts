import type { TestHarness } from '@partyline/room-api/testing/test-harness';

/** Creates and ends a room, and returns the id of its last event. */
export async function createPastEvent(harness: TestHarness): Promise<string> {
  const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Before' } });
  await harness.request('POST', `/v1/rooms/${body.room.id}/end`);
  const events = (await harness.request('GET', `/v1/sessions/${body.session.id}/events`)).body.events as {
    id: string;
  }[];
  return events.at(-1)!.id;
}
