import type { Stage } from '@partyline/room-api/testing/test-harness';

/** Creates and ends a room, and returns the id of its last event. */
export async function createPastEvent(stage: Stage): Promise<string> {
  const { body } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Before' } });
  await stage.ask('POST', `/v1/rooms/${body.room.id}/end`);
  const events = (await stage.ask('GET', `/v1/sessions/${body.session.id}/events`)).body.events as { id: string }[];
  return events.at(-1)!.id;
}
